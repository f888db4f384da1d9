import { open } from "node:fs/promises";
import { errorMessage, UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import { EtcdDatabase } from "../../sources/etcd/file/database.js";
import { fileAccess } from "../../sources/etcd/file/random-access.js";
import { checkSnapshotDigest } from "../../sources/etcd/file/snapshot-digest.js";
import { writeDatabase } from "../../sources/etcd/file/write/write-database.js";
import type { OperationContext } from "../context.js";
import { type HistoryLocation, withHistory } from "../history/access.js";
import { type DatabaseOptions, writeHistoryDatabase } from "../history/write-snapshot.js";
import type { WriteFounderData } from "./founder.js";

/** From the raw snapshots, and the deltas after them, in a folder or in stores. */
export function dataOfHistory(
  options: HistoryLocation & DatabaseOptions,
  context: OperationContext,
): WriteFounderData {
  return (out, checkBase) =>
    withHistory(options, context, async (access) => {
      const { result, complete } = await writeHistoryDatabase(
        access,
        { ...options, checkBase },
        { path: out, sync: false },
        context,
      );
      return { revision: result.revision, complete };
    });
}

export interface SnapshotFile extends Omit<DatabaseOptions, "target" | "checkBase"> {
  /** Of `etcdctl snapshot save`, or the database of a member that is stopped. */
  readonly path: string;
  /** A database that was copied out of a data dir has no hash. */
  readonly skipHashCheck: boolean;
  /** By default the latest that the file holds. */
  readonly revision?: number | undefined;
}

/** From a raw snapshot in a file. Throws UsageError, EtcdFileError, InterruptedError. */
export function dataOfFile(
  { path, skipHashCheck, revision, bumpRevision, unknownLeaseTtlSeconds }: SnapshotFile,
  { signal }: Pick<OperationContext, "signal">,
): WriteFounderData {
  return async (out, checkBase) => {
    const handle = await open(path, "r").catch((cause: unknown) => {
      throw new UsageError(`cannot read ${quoted(path)}: ${errorMessage(cause)}`, {
        cause,
        hint: "name a raw snapshot of etcd",
        settings: ["snapshot-file"],
      });
    });
    try {
      const file = await fileAccess(handle);
      if (!skipHashCheck) await checkSnapshotDigest(file, quoted(path), signal);
      const database = await EtcdDatabase.open(file, quoted(path));
      await checkBase({ database, clusterId: undefined });
      const facts = await database.facts(signal);
      // Written anew: etcd deletes the keys that are named like the ids of former members.
      const written = await writeDatabase(database, noRevisions(), out, {
        revision: revision ?? facts.revision,
        bump: bumpRevision,
        unknownLeaseTtlSeconds,
        sync: false,
        signal,
      });
      return { revision: written.revision, complete: true };
    } finally {
      await handle.close();
    }
  };
}

async function* noRevisions(): AsyncGenerator<never> {}
