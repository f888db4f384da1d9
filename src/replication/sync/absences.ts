/**
 * Since when the source of a sync has not had a snapshot that the target has. Kept in memory, by the monotonic clock: a
 * change of the machine's time never ends a grace period, and a restart begins it again.
 */
export class Absences {
  readonly #since = new Map<string, number>();

  /** Takes the names that are absent at `now` (ms): for others, the next absence begins anew. */
  update(absent: ReadonlySet<string>, now: number): void {
    for (const name of this.#since.keys()) if (!absent.has(name)) this.#since.delete(name);
    for (const name of absent) if (!this.#since.has(name)) this.#since.set(name, now);
  }

  /** The snapshot is in the source after all. */
  forget(name: string): void {
    this.#since.delete(name);
  }

  /** For how long a name has been absent, ms. */
  durationMs(name: string, now: number): number {
    const since = this.#since.get(name);
    return since === undefined ? 0 : now - since;
  }
}
