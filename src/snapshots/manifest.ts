import { MANIFEST_NAME } from "../archive/format.js";
import { FIRST_READ_BYTES, type Manifest } from "../archive/manifest/manifest.js";
import { ManifestScanner } from "../archive/manifest/manifest-scanner.js";
import { StoreError } from "../snapstore/errors.js";
import type { SnapStore } from "../snapstore/store.js";
import { Budget } from "../flow/budget.js";

/** Manifests up to the size of a first read are held beside others; of larger ones this process holds one at a time. */
const large = new Budget(1);

export interface HeldManifest {
  readonly manifest: Manifest;
  /** Called once the facts of the files are needed no more: the next large manifest waits for it. */
  release(): void;
}

export function manifestKey(snapshot: string): string {
  return `${snapshot}/${MANIFEST_NAME}`;
}

/**
 * Undefined when there is none: the snapshot is unfinished. Never called while another manifest is held: both may be
 * large. Throws DAMAGED, UNSUPPORTED_VERSION.
 */
export async function holdManifest(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
): Promise<HeldManifest | undefined> {
  try {
    const start = new ManifestScanner();
    const read = await scan(store, snapshot, start, { length: FIRST_READ_BYTES, signal });
    if (read < FIRST_READ_BYTES) return { manifest: start.end(), release: () => {} };
    await large.take(1, signal);
    try {
      const whole = new ManifestScanner();
      await scan(store, snapshot, whole, { signal });
      return { manifest: whole.end(), release: () => large.giveBack(1) };
    } catch (error) {
      large.giveBack(1);
      throw error;
    }
  } catch (error) {
    if (error instanceof StoreError && error.code === "STORE_NOT_FOUND") return undefined;
    throw error;
  }
}

/** What `use` makes of the manifest, which is held no longer. Undefined and errors as {@link holdManifest}. */
export async function withManifest<T>(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
  use: (manifest: Manifest) => T | Promise<T>,
): Promise<T | undefined> {
  const held = await holdManifest(store, snapshot, signal);
  if (held === undefined) return undefined;
  try {
    return await use(held.manifest);
  } finally {
    held.release();
  }
}

/** Whether the manifest in a store is of these bytes. Reads up to the first piece that differs. */
export async function hasManifest(
  store: SnapStore,
  snapshot: string,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<boolean> {
  let at = 0;
  try {
    for await (const piece of store.get(manifestKey(snapshot), { signal })) {
      if (!bytes.subarray(at, at + piece.length).equals(piece)) return false;
      at += piece.length;
    }
  } catch (error) {
    if (error instanceof StoreError && error.code === "STORE_NOT_FOUND") return false;
    throw error;
  }
  return at === bytes.length;
}

async function scan(
  store: SnapStore,
  snapshot: string,
  scanner: ManifestScanner,
  range: { readonly length?: number; readonly signal: AbortSignal },
): Promise<number> {
  let bytes = 0;
  for await (const piece of store.get(manifestKey(snapshot), range)) {
    scanner.push(piece);
    bytes += piece.length;
  }
  return bytes;
}
