import { throwIfAborted } from "../../../src/errors.js";
import { PartWriter, type PartWriterOptions } from "../../../src/snapstore/parts/upload.js";
import type { SnapStore } from "../../../src/snapstore/store.js";

/** Uploads a stream. Calls `sha256` at its end. Returns the size in bytes. */
export async function uploadStream(
  store: SnapStore,
  key: string,
  source: AsyncIterable<Uint8Array>,
  options: PartWriterOptions & { readonly sha256: () => string },
): Promise<number> {
  const writer = new PartWriter(store, key, options);
  try {
    throwIfAborted(options.signal);
    for await (const piece of source) await writer.write(piece);
    return await writer.finish({ sha256: options.sha256() });
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
