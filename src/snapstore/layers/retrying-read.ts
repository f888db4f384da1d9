import { Deadline } from "../../flow/deadline.js";
import { Attempts } from "../../flow/retry.js";
import { deadlineError } from "../http/failure.js";
import type { StoreRetryPolicy } from "./retry-policy.js";
import type { GetOptions, SnapStore } from "../store.js";

/** Reads up to this size are buffered, and started again when they fail. */
const BUFFERED_BYTES = 1 << 20;

/**
 * Reads an object. When a read fails, the next one continues after the last received byte. A long read without a tag
 * fetches the object's tag first, so that all bytes are of the same object.
 */
export async function* retryingRead(
  store: SnapStore,
  policy: StoreRetryPolicy,
  key: string,
  options: GetOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const { length: wanted, offset = 0, signal: outer } = options;
  const attempts = new Attempts(policy, outer);
  const short = wanted !== undefined && wanted <= BUFFERED_BYTES;
  const end = wanted === undefined ? undefined : offset + wanted;
  let { ifTag } = options;
  let tagKnown = short || ifTag !== undefined;
  let at = offset;
  for (;;) {
    const deadline = new Deadline(policy.callMs, outer);
    const { signal } = deadline;
    let failure: unknown;
    try {
      if (!tagKnown) {
        ifTag = (await store.head(key, signal))?.tag;
        tagKnown = true;
      }
      const length = end === undefined ? undefined : end - at;
      const pieces = store.get(key, { offset: at, length, ifTag, signal });
      if (short) {
        const collected: Uint8Array[] = [];
        for await (const piece of pieces) collected.push(piece);
        deadline.end();
        yield* collected;
        return;
      }
      for await (const piece of pieces) {
        deadline.pause();
        at += piece.length;
        attempts.progress();
        yield piece;
        deadline.restart();
      }
      return;
    } catch (error) {
      // All bytes had arrived.
      if (!short && at === end) return;
      failure = deadlineError(deadline, error, store.name);
    } finally {
      deadline.end();
    }
    await attempts.failed(failure);
  }
}
