import { CborEnd, CborReader } from "./cbor.js";
import type { Chunk } from "./seal/chunk-reader.js";

export interface SequenceOptions<T> {
  decode(from: CborReader): T;
  /** A longer item is invalid: a forged length must not bring the whole file into memory. */
  readonly maxItemBytes: number;
  /** Most items that are yielded at once. */
  readonly batch: number;
  /** The error for invalid bytes. */
  invalid(cause: unknown): Error;
}

/** The items of a CBOR sequence in the chunks of a sealed file, some at a time; their bytes may be kept. */
export async function* readSequence<T>(
  chunks: AsyncIterable<Chunk>,
  { decode, maxItemBytes, batch, invalid }: SequenceOptions<T>,
): AsyncGenerator<readonly T[], void, void> {
  /** The parts of an item that goes on in the next chunk; they are joined once it may be complete. */
  let begun: Buffer[] = [];
  let begunBytes = 0;
  let needed = 0;
  /** The items in `bytes` up to an incomplete one, which it keeps. */
  function* items(bytes: Buffer): Generator<readonly T[], void, void> {
    let found: T[] = [];
    let done = 0;
    const reader = new CborReader(bytes);
    while (!reader.atEnd) {
      try {
        found.push(decode(reader));
      } catch (error) {
        if (!(error instanceof CborEnd)) throw invalid(error);
        if (error.end - done > maxItemBytes) throw invalid(error);
        // An item of many parts says only where its next part ends: trying at each chunk would decode it again and again.
        needed = Math.max(error.end - done, Math.min(2 * (bytes.length - done), maxItemBytes));
        break;
      }
      done = reader.position;
      if (found.length < batch) continue;
      yield found;
      found = [];
    }
    yield found;
    begun = done < bytes.length ? [bytes.subarray(done)] : [];
    begunBytes = bytes.length - done;
  }
  for await (const chunk of chunks) {
    begunBytes += chunk.bytes.length;
    if (begunBytes < needed) {
      begun.push(Buffer.from(chunk.bytes));
      chunk.release();
      continue;
    }
    // A copy, so that consumers may keep items.
    const bytes = Buffer.concat([...begun, chunk.bytes]);
    chunk.release();
    needed = 0;
    yield* items(bytes);
  }
  if (begun.length > 1) yield* items(Buffer.concat(begun));
  if (begunBytes > 0) throw invalid(undefined);
}
