/** Longest stall of the consumer that etcd's buffers take for sure, ms. */
const STALL_MS = 100;
/** From this wait on, a message was not there yet, ms. */
const WAIT_MS = 5;
/** From the beginning of a wait on, etcd has moved its watcher to the live ones within this time, ms. */
const SETTLE_MS = 1_000;

/**
 * Whether an answer may come from etcd's catch-up. A live event is what its transaction did. In catch-up etcd reads
 * its database, and where the first revision to read is the compacted one, deletions in it may be gone without notice.
 */
export class CatchUp {
  #upToDate = false;
  #stalled = false;
  #unsureUntilMs = 0;

  /** The consumer took `ms` milliseconds, in which etcd may have put the watcher aside. */
  held(ms: number): void {
    if (ms >= STALL_MS) this.#stalled = true;
  }

  /** A message has come after `ms` milliseconds. */
  waited(ms: number, nowMs: number): void {
    if (ms < WAIT_MS || !this.#stalled) return;
    this.#stalled = false;
    this.#unsureUntilMs = nowMs - ms + SETTLE_MS;
  }

  /** Whether an answer that comes now may be of catch-up. */
  isPossible(nowMs: number): boolean {
    return !this.#upToDate || this.#stalled || nowMs < this.#unsureUntilMs;
  }

  /** @param isLatest whether the answer's last revision was the latest that the member had */
  answered(isLatest: boolean): void {
    this.#upToDate = isLatest;
  }
}
