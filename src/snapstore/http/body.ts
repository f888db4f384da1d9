import { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { InterruptedError } from "../../errors.js";
import { TimeoutError } from "../../flow/deadline.js";

/** By then the AWS client has set its idle deadline for the second time: it does so 3 seconds after it asked. */
const DEADLINE_SET_MS = 4000;

/**
 * The pieces of an answer's body. Fails when nothing comes for `idleMs` milliseconds while they are
 * asked for, or the signal fires; the time that the reader takes does not count.
 */
export async function* bodyPieces(
  body: Readable,
  options: { idleMs: number; signal?: AbortSignal | undefined },
): AsyncGenerator<Uint8Array, number, void> {
  const { idleMs, signal } = options;
  const interrupt = () => body.destroy(new InterruptedError());
  if (signal?.aborted) interrupt();
  signal?.addEventListener("abort", interrupt, { once: true });
  // The client's own idle deadline counts the time of the reader.
  const lift = () => body instanceof IncomingMessage && body.socket?.setTimeout(0);
  lift();
  const again = setTimeout(lift, DEADLINE_SET_MS).unref();
  const pieces = body[Symbol.asyncIterator]();
  let bytes = 0;
  try {
    for (;;) {
      const timer = setTimeout(() => body.destroy(new TimeoutError(idleMs)), idleMs);
      const next = await pieces.next().finally(() => clearTimeout(timer));
      if (next.done) return bytes;
      const piece: unknown = next.value;
      if (!(piece instanceof Uint8Array)) throw new TypeError("a body of text");
      bytes += piece.length;
      yield piece;
    }
  } finally {
    clearTimeout(again);
    signal?.removeEventListener("abort", interrupt);
    body.destroy();
  }
}
