import type { FileFacts } from "../archive/manifest/manifest.js";
import type { SnapStore } from "../snapstore/store.js";
import { requireFilesListed, requireSnapshotListed } from "./listing-check.js";
import { manifestKey } from "./manifest.js";

/**
 * Makes a new snapshot complete: its manifest comes once the store lists all of its files, and then has to be listed
 * itself. Throws StoreError, STORE_FAILED where the listing lacks something.
 */
export async function finishSnapshot(
  store: SnapStore,
  snapshot: string,
  options: {
    /** All but the manifest. */
    readonly files: readonly FileFacts[];
    readonly manifest: Uint8Array;
    readonly signal: AbortSignal;
    /** How long a listing may be behind, ms. */
    readonly lateMs?: number | undefined;
  },
): Promise<void> {
  const { files, manifest, signal, lateMs } = options;
  await requireFilesListed(store, snapshot, files, signal, lateMs);
  await store.put(manifestKey(snapshot), manifest, { ifAbsent: true, signal });
  await requireSnapshotListed(store, snapshot, signal, lateMs);
}
