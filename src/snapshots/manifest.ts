import { ArchiveError } from "../archive/errors.js";
import { MANIFEST_NAME } from "../archive/format.js";
import { FIRST_READ_BYTES, type Manifest } from "../archive/manifest/manifest.js";
import { ManifestScanner } from "../archive/manifest/manifest-scanner.js";
import { StoreError } from "../snapstore/errors.js";
import { hasContent } from "../snapstore/object-checks.js";
import type { SnapStore } from "../snapstore/store.js";
import { Budget } from "../flow/budget.js";

/** Of manifests larger than a first read, this process holds one at a time. */
const large = new Budget(1);

export interface HeldManifest {
  readonly manifest: Manifest;
  /** Must be called when the manifest is no longer needed: the next large one waits for it. */
  release(): void;
}

export function manifestKey(snapshot: string): string {
  return `${snapshot}/${MANIFEST_NAME}`;
}

/**
 * Reads a manifest; undefined for an unfinished snapshot. Must not be called while holding another one: with two large
 * ones it would deadlock. Throws DAMAGED, UNSUPPORTED_VERSION.
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

/** Calls `use` with the manifest, which is released afterwards. Undefined and errors as {@link holdManifest}. */
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

/** Whether the manifest in a store has these bytes. */
export async function hasManifest(
  store: SnapStore,
  snapshot: string,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return await hasContent(store, manifestKey(snapshot), bytes, signal);
  } catch (error) {
    if (error instanceof StoreError && error.code === "STORE_NOT_FOUND") return false;
    throw error;
  }
}

/** The error for a snapshot without a manifest. */
export function unfinishedSnapshot(store: SnapStore, snapshot: string): ArchiveError {
  return new ArchiveError("UNFINISHED_BACKUP", `${snapshot} in ${store.name} is unfinished`, {
    hint: "snapshot prune-incomplete removes it, unless it is still being written",
  });
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
