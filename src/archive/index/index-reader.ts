import { CborEnd, CborReader } from "../cbor.js";
import type { Chunk } from "../seal/chunk-reader.js";
import { damaged } from "../errors.js";
import { INDEX_NAME, MAX_ENTRY_BYTES } from "../format.js";
import { decodeIndexItem, type IndexItem } from "./index-items.js";

/** Items that are handed out at once. */
const BATCH = 4096;

/**
 * The items in the chunks of INDEX.bin, some at a time; their bytes may be kept.
 * Throws DAMAGED.
 */
export async function* readIndexItems(
  chunks: AsyncIterable<Chunk>,
): AsyncGenerator<readonly IndexItem[]> {
  /** Of an item that goes on in the next chunk: copied once more only when it is whole. */
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
    // A copy that is used for nothing else, so that whoever gets an item may keep it.
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
        // An item that claims to be longer than any must not gather the whole file in memory.
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
