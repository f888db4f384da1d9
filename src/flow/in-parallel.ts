/**
 * Runs `work` for each item, up to `limit` at once, started in order. After a failure no further item is
 * started; once those running have ended, the failure of the earliest item is thrown: the one that a
 * loop without concurrency would have thrown.
 */
export async function inParallel<T>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = each(items);
  let failure: { error: unknown; at: number } | undefined;
  let started = 0;
  const runner = async (): Promise<void> => {
    // A failure of the iterator comes after those of all items.
    let at = Number.POSITIVE_INFINITY;
    try {
      while (failure === undefined) {
        at = Number.POSITIVE_INFINITY;
        const next = await iterator.next();
        if (next.done) return;
        at = started++;
        await work(next.value);
      }
    } catch (error) {
      if (failure === undefined || at < failure.at) failure = { error, at };
    }
  };
  await Promise.all(Array.from({ length: limit }, runner));
  await iterator.return();
  if (failure !== undefined) throw failure.error;
}

/** A generator queues the `next` calls of several runners. */
async function* each<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T, void, void> {
  yield* items;
}
