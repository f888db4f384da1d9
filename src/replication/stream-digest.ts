import type { FileDigest, FileThread } from "../archive/file-thread.js";

const BUFFER_BYTES = 1 << 20;

/** Length and SHA-256 of a stream, hashed on the thread while the next bytes come in. */
export async function streamDigest(
  pieces: AsyncIterable<Uint8Array>,
  thread: FileThread,
  onBytes: (bytes: number) => void = () => {},
): Promise<FileDigest> {
  const file = await thread.open();
  let filling = new SharedArrayBuffer(BUFFER_BYTES);
  let other = new SharedArrayBuffer(BUFFER_BYTES);
  let filled = 0;
  let hashing: Promise<void> = Promise.resolve();
  const hand = async (): Promise<void> => {
    await hashing;
    hashing = file.append(filling, 0, filled);
    // Thrown where it is next waited for.
    hashing.catch(() => {});
    [filling, other] = [other, filling];
    filled = 0;
  };
  try {
    for await (const piece of pieces) {
      onBytes(piece.length);
      for (let at = 0; at < piece.length; ) {
        const part = piece.subarray(at, at + BUFFER_BYTES - filled);
        new Uint8Array(filling, filled).set(part);
        filled += part.length;
        at += part.length;
        if (filled === BUFFER_BYTES) await hand();
      }
    }
    if (filled > 0) await hand();
    await hashing;
    return await file.finish();
  } catch (error) {
    await file.abandon().catch(() => {});
    throw error;
  }
}
