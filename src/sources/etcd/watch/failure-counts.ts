/** Counts failures by kind. */
export class FailureCounts {
  readonly #counts = new Map<string, number>();

  get all(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Returns how many of this kind there are. */
  add(kind: string): number {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    return count;
  }

  forget(kind: string): void {
    this.#counts.delete(kind);
  }

  clear(): void {
    this.#counts.clear();
  }
}
