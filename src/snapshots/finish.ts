import type { FileFacts } from "../archive/manifest/manifest.js";
import type { SnapStore } from "../snapstore/store.js";
import { checkFilesListed, checkSnapshotListed } from "./listing-check.js";
import { manifestKey } from "./manifest.js";

/**
 * Completes a new snapshot: stores its manifest once the store lists all of its files, and then checks that it lists
 * the manifest. Throws StoreError, STORE_FAILED for an incomplete listing.
 */
export async function finishSnapshot(
  store: SnapStore,
  snapshot: string,
  options: {
    /** All but the manifest. */
    readonly files: readonly FileFacts[];
    readonly manifest: Uint8Array;
    readonly signal: AbortSignal;
    /** Maximum delay of a listing, ms. */
    readonly lateMs?: number | undefined;
  },
): Promise<void> {
  const { files, manifest, signal, lateMs } = options;
  await checkFilesListed(store, snapshot, files, signal, lateMs);
  await store.put(manifestKey(snapshot), manifest, { ifAbsent: true, signal });
  await checkSnapshotListed(store, snapshot, signal, lateMs);
}
