import { rm } from "node:fs/promises";
import type { OperationContext } from "../context.js";
import { type HistoryLocation, withHistory } from "./access.js";
import { type MemberOptions, peerUrlsOfMembers, restoreDataDir } from "./data-dir.js";
import { newFolderPath } from "./new-path.js";
import { unusedToken } from "./unused-token.js";
import { type DatabaseOptions, writeHistoryDatabase } from "./write-snapshot.js";

export interface DataDirOptions extends HistoryLocation, DatabaseOptions {
  /** Path of the new data dir. */
  readonly dir: string;
  readonly member: MemberOptions;
  /** The setting that named the data dir; default: `etcd-data-dir`. */
  readonly setting?: string | undefined;
}

export interface MadeDataDir {
  /** The revision that etcd is at when it starts on the data dir. */
  readonly revision: number;
  /** False where the log lacks what a time would need. */
  readonly complete: boolean;
}

/**
 * Makes the data dir of a member as etcd was at a moment: the database is written to a file beside, and etcdutl or etcdctl
 * makes the data dir of it. Nothing is left of a run that fails. For several members, one data dir each is made of the same
 * target.
 */
export async function makeEtcdDataDir(
  options: DataDirOptions,
  context: OperationContext,
): Promise<MadeDataDir> {
  const { dir, member, setting = "etcd-data-dir" } = options;
  const target = await newFolderPath(dir, setting);
  const checkBase = unusedToken(peerUrlsOfMembers(member), member.initialClusterToken);
  const database = { ...options, checkBase };
  return await withHistory(options, context, async (access) => {
    const file = target.unfinished();
    try {
      const { result, complete } = await writeHistoryDatabase(
        access,
        database,
        // etcd's program copies it, and brings the copy to the disk.
        { path: file, sync: false },
        context,
      );
      const { signal } = context;
      const tool = await restoreDataDir(file, target.path, member, { signal, setting });
      context.report({
        type: "etcd-data-dir-made",
        folder: target.path,
        member: member.name,
        revision: result.revision,
        unknownLeases: result.unknownLeases,
        tool,
      });
      return { revision: result.revision, complete };
    } finally {
      await rm(file, { force: true });
    }
  });
}
