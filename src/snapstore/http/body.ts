import { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { InterruptedError } from "../../errors.js";
import { TimeoutError } from "../../flow/deadline.js";

/** The AWS client sets its idle timeout a second time, 3 seconds after the request. */
const TIMEOUT_SET_MS = 4000;

/**
 * The pieces of a response body. Fails when no bytes arrive for `idleMs` milliseconds while the consumer waits, or when
 * the signal aborts. The time that the consumer takes does not count.
 */
export async function* bodyPieces(
  body: Readable,
  options: { idleMs: number; signal?: AbortSignal | undefined },
): AsyncGenerator<Uint8Array, number, void> {
  const { idleMs, signal } = options;
  const interrupt = () => body.destroy(new InterruptedError());
  if (signal?.aborted) interrupt();
  signal?.addEventListener("abort", interrupt, { once: true });
  // The client's own idle timeout would count the time of the consumer.
  const disableTimeout = () => body instanceof IncomingMessage && body.socket?.setTimeout(0);
  disableTimeout();
  const again = setTimeout(disableTimeout, TIMEOUT_SET_MS).unref();
  const pieces = body[Symbol.asyncIterator]();
  let bytes = 0;
  try {
    for (;;) {
      const timer = setTimeout(() => body.destroy(new TimeoutError(idleMs)), idleMs);
      const next = await pieces.next().finally(() => clearTimeout(timer));
      if (next.done) return bytes;
      const piece: unknown = next.value;
      if (!(piece instanceof Uint8Array)) throw new TypeError("the body is text, not bytes");
      bytes += piece.length;
      yield piece;
    }
  } finally {
    clearTimeout(again);
    signal?.removeEventListener("abort", interrupt);
    body.destroy();
  }
}
