import type { FileFacts } from "../archive/manifest/manifest.js";
import { sleep } from "../flow/sleep.js";
import { StoreError } from "../snapstore/errors.js";
import type { SnapStore } from "../snapstore/store.js";
import { ownObjects } from "./foreign-files.js";
import { manifestKey } from "./manifest.js";
import { namesIn } from "./catalog.js";
import { fileMismatch } from "./file-check.js";

/** Maximum delay of a listing, ms. */
const LATE_MS = 60_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5_000;

/**
 * Throws STORE_FAILED unless the listing of a snapshot has these files. Other commands would not find a file that is
 * only accessible by its name, such as one behind a link.
 */
export async function checkFilesListed(
  store: SnapStore,
  snapshot: string,
  files: readonly FileFacts[],
  signal: AbortSignal,
  lateMs = LATE_MS,
): Promise<void> {
  await untilListed(store, signal, lateMs, async () => {
    const waiting = new Map(files.map((file) => [`${snapshot}/${file.name}`, file]));
    for await (const object of ownObjects(store, snapshot, signal)) {
      const file = waiting.get(object.key);
      if (file !== undefined && fileMismatch(file, object) === undefined)
        waiting.delete(object.key);
    }
    const [missing] = waiting.keys();
    return missing;
  });
}

/** Throws STORE_FAILED unless the listings have the snapshot, or the stream with a base, and its manifest. */
export async function checkSnapshotListed(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
  lateMs = LATE_MS,
): Promise<void> {
  await untilListed(store, signal, lateMs, async () => {
    const manifest = manifestKey(snapshot);
    const { names, streams } = await namesIn(store, signal);
    if (![...names, ...streams].some(({ text }) => text === snapshot)) return snapshot;
    for await (const { key } of ownObjects(store, snapshot, signal)) {
      if (key === manifest) return undefined;
    }
    return manifest;
  });
}

/** Repeats a listing until nothing is missing, or `lateMs` have passed. */
async function untilListed(
  store: SnapStore,
  signal: AbortSignal,
  lateMs: number,
  findMissing: () => Promise<string | undefined>,
): Promise<void> {
  const begun = performance.now();
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
    const missing = await findMissing();
    if (missing === undefined) return;
    if (performance.now() - begun + wait > lateMs) {
      throw new StoreError(
        "STORE_FAILED",
        `${missing} was written, but the store does not list it as it was written`,
        { store: store.name, hint: "were files of the store replaced or moved meanwhile?" },
      );
    }
    await sleep(wait, signal);
  }
}
