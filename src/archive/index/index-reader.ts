import { CborEnd, CborReader } from "../cbor.js";
import type { Chunk } from "../seal/chunk-reader.js";
import { damaged } from "../errors.js";
import { INDEX_NAME, MAX_ENTRY_BYTES } from "../format.js";
import { decodeIndexItem, type IndexItem } from "./index-items.js";

/** Most items of a batch. */
const BATCH = 4096;

/** The items in the chunks of INDEX.bin, some at a time; their bytes may be kept. Throws DAMAGED. */
export async function* readIndexItems(
  chunks: AsyncIterable<Chunk>,
): AsyncGenerator<readonly IndexItem[]> {
  /** The parts of an item that goes on in the next chunk; they are joined once it is complete. */
  let begun: Buffer[] = [];
  let begunBytes = 0;
  let needed = 0;
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
    let items: IndexItem[] = [];
    let done = 0;
    const reader = new CborReader(bytes);
    while (!reader.atEnd) {
      try {
        items.push(decodeIndexItem(reader));
      } catch (error) {
        if (!(error instanceof CborEnd)) throw notAnItem(error);
        needed = error.end - done;
        // A forged length must not bring the whole file into memory.
        if (needed > MAX_ENTRY_BYTES) throw notAnItem(error);
        break;
      }
      done = reader.position;
      if (items.length < BATCH) continue;
      yield items;
      items = [];
    }
    yield items;
    begun = done < bytes.length ? [bytes.subarray(done)] : [];
    begunBytes = bytes.length - done;
  }
  if (begunBytes > 0) throw notAnItem(undefined);
}

function notAnItem(cause: unknown): Error {
  return damaged("an item in it is not one of this format", { file: INDEX_NAME }, cause);
}
