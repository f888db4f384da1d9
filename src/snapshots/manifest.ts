import { createHash } from "node:crypto";
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
  /** SHA-256 of its bytes, hex. Their form is canonical, so equal manifests have equal digests. */
  readonly digest: string;
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
    const start = new HashedScanner();
    const read = await start.scan(store, snapshot, { length: FIRST_READ_BYTES, signal });
    if (read < FIRST_READ_BYTES) return { ...start.end(), release: () => {} };
    await large.take(1, signal);
    try {
      const whole = new HashedScanner();
      await whole.scan(store, snapshot, { signal });
      return { ...whole.end(), release: () => large.giveBack(1) };
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
  use: (manifest: Manifest, digest: string) => T | Promise<T>,
): Promise<T | undefined> {
  const held = await holdManifest(store, snapshot, signal);
  if (held === undefined) return undefined;
  try {
    return await use(held.manifest, held.digest);
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

/** Reads a manifest, and hashes the bytes as they come: a large one is never held as text. */
class HashedScanner {
  readonly #scanner = new ManifestScanner();
  readonly #hash = createHash("sha256");

  /** Resolves with the number of bytes. */
  async scan(
    store: SnapStore,
    snapshot: string,
    range: { readonly length?: number; readonly signal: AbortSignal },
  ): Promise<number> {
    let bytes = 0;
    for await (const piece of store.get(manifestKey(snapshot), range)) {
      this.#scanner.push(piece);
      this.#hash.update(piece);
      bytes += piece.length;
    }
    return bytes;
  }

  /** After the last byte. */
  end(): { readonly manifest: Manifest; readonly digest: string } {
    return { manifest: this.#scanner.end(), digest: this.#hash.digest("hex") };
  }
}
