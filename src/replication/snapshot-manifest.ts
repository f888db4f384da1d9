import { damaged } from "../archive/errors.js";
import { MANIFEST_NAME } from "../archive/format.js";
import { decodeManifest, type Manifest } from "../archive/manifest.js";
import { StoreError } from "../snapstore/errors.js";
import type { SnapStore } from "../snapstore/store.js";

/** Larger than the manifest of 100,000 files; no more is held of what a store gives. */
const MAX_MANIFEST_BYTES = 32 << 20;

export interface StoredManifest {
  readonly manifest: Manifest;
  /** As it stands in the store; equal bytes are equal backups. */
  readonly bytes: Buffer;
}

export function manifestKey(snapshot: string): string {
  return `${snapshot}/${MANIFEST_NAME}`;
}

/** Undefined when there is none: the snapshot is unfinished. Throws DAMAGED, UNSUPPORTED_VERSION. */
export async function readStoredManifest(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
): Promise<StoredManifest | undefined> {
  const bytes = await readManifestBytes(store, snapshot, signal);
  return bytes === undefined
    ? undefined
    : { manifest: decodeManifest(bytes.toString("utf8")), bytes };
}

/** The bytes alone, whatever they are. Throws DAMAGED when there are too many. */
export async function readManifestBytes(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    const limit = MAX_MANIFEST_BYTES + 1;
    for await (const piece of store.get(manifestKey(snapshot), { length: limit, signal })) {
      size += piece.length;
      if (size > MAX_MANIFEST_BYTES) throw damaged("it is too long", { file: MANIFEST_NAME });
      pieces.push(piece);
    }
  } catch (error) {
    if (error instanceof StoreError && error.code === "STORE_NOT_FOUND") return undefined;
    throw error;
  }
  return Buffer.concat(pieces, size);
}
