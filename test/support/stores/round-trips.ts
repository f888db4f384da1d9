/** Counts the round trips to a store: calls that wait for the store at the same time are answered together. */
export class RoundTrips {
  count = 0;
  #current: Promise<void> | undefined;

  /** For `SwitchableStore.before`: resolves once no call can begin any more that does not wait for the answer of another. */
  readonly wait = (): Promise<void> => {
    this.#current ??= new Promise((resolve) => {
      setImmediate(() => {
        this.count++;
        this.#current = undefined;
        resolve();
      });
    });
    return this.#current;
  };
}
