import { readSequence } from "../cbor-sequence.js";
import { damaged } from "../errors.js";
import { INDEX_NAME, MAX_ENTRY_BYTES } from "../format.js";
import type { Chunk } from "../seal/chunk-reader.js";
import { decodeIndexItem, type IndexItem } from "./index-items.js";

/** Most items of a batch. */
const BATCH = 4096;

/** The items in the chunks of INDEX.bin, some at a time; their bytes may be kept. Throws DAMAGED. */
export function readIndexItems(
  chunks: AsyncIterable<Chunk>,
): AsyncGenerator<readonly IndexItem[], void, void> {
  return readSequence(chunks, {
    decode: decodeIndexItem,
    maxItemBytes: MAX_ENTRY_BYTES,
    batch: BATCH,
    invalid: (cause) =>
      damaged("an item in it is not one of this format", { file: INDEX_NAME }, cause),
  });
}
