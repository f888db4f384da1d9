import { FolderFiles } from "../../archive/backup-files.js";
import { isOriginal } from "../../archive/original/folder.js";
import { BackupToolError } from "../../errors.js";
import { checkBases, findBases } from "../../snapshots/chain.js";
import { compareSnapshotNames } from "../../snapshots/name.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import { SnapshotFiles } from "../../snapshots/snapshot-files.js";
import type { StoreConfig } from "../../snapstore/config.js";
import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import { chooseSnapshot } from "./choose-snapshot.js";
import type { StoreContext } from "../context.js";
import type { NamedFiles } from "./named-backup.js";
import { SeenSnapshots } from "./seen-snapshots.js";
import { openRetrying } from "./stores.js";

/** The location of a backup. */
export type BackupLocation =
  | { readonly kind: "folder"; readonly folder: string }
  | {
      readonly kind: "snapshot";
      /** One store, or two: the one with the newest complete snapshot is read. */
      readonly stores: readonly StoreConfig[];
      /** A name, or `latest`. */
      readonly snapshot: string;
    };

/** The folder, if it holds an archive of the original tool. */
export async function originalFolder(location: BackupLocation): Promise<string | undefined> {
  if (location.kind !== "folder" || !(await isOriginal(location.folder))) return undefined;
  return location.folder;
}

/** A backup that was found. */
export interface LocatedBackup extends NamedFiles {
  /** Its bases, its own base first; undefined for a folder, where they are not known. */
  bases?(): Promise<NamedFiles[]>;
  /** Throws NO_BASE unless the store has all of them complete; resolves with their names. Undefined for a folder. */
  checkBases?(): Promise<string[]>;
  /** Whether it is in a folder or a Local store: reading it twice is cheap. */
  readonly local: boolean;
  close(): Promise<void>;
}

/** Finds a snapshot; does not read a folder. Throws StoreError, NO_SNAPSHOT. */
export async function locateBackup(
  location: BackupLocation,
  context: StoreContext,
  seen: SeenSnapshots = new SeenSnapshots(context),
): Promise<LocatedBackup> {
  const { signal, report } = context;
  if (location.kind === "folder") {
    return { files: new FolderFiles(location.folder), local: true, close: async () => {} };
  }
  const opened: SnapStore[] = [];
  const close = async () => {
    await Promise.all(opened.map((store) => store.close()));
  };
  try {
    const local = new Set<SnapStore>();
    for (const config of location.stores) {
      const store = await openRetrying(config);
      opened.push(store);
      if (config.provider === "Local") local.add(store);
    }
    const { store, found } = await newest(opened, location.snapshot, seen, context);
    const { text } = found.name;
    report({ type: "snapshot-chosen", snapshot: text, store: store.name });
    return {
      files: new SnapshotFiles(store, text, signal),
      name: found.name,
      local: local.has(store),
      bases: async () =>
        (await findBases(store, found, signal)).map((name) => ({
          files: new SnapshotFiles(store, name.text, signal),
          name,
        })),
      checkBases: () => checkBases(store, found, signal),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Found {
  readonly store: SnapStore;
  readonly found: StoredSnapshot;
}

/** The newest snapshot of all stores; of equal ones, that of the first. Warns of a store that fails. */
async function newest(
  stores: readonly SnapStore[],
  snapshot: string,
  seen: SeenSnapshots,
  { signal, report }: StoreContext,
): Promise<Found> {
  const all: Found[] = [];
  const failures: unknown[] = [];
  for (const store of stores) {
    try {
      all.push({ store, found: await chooseSnapshot(store, snapshot, seen, signal) });
    } catch (error) {
      const none = error instanceof BackupToolError && error.code === "NO_SNAPSHOT";
      if (!none && !(error instanceof StoreError)) throw error;
      failures.push(error);
    }
  }
  const whole = all.filter(({ found }) => found.state === "complete");
  const candidates = whole.length > 0 ? whole : all;
  const [best] = candidates.sort((a, b) => compareSnapshotNames(b.found.name, a.found.name));
  if (best === undefined) throw failures[0];
  for (const error of failures) {
    report({ type: "warning", message: `left out: ${(error as Error).message}` });
  }
  return best;
}
