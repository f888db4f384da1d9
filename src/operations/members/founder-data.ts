import { open } from "node:fs/promises";
import { errorMessage, UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import { EtcdDatabase } from "../../sources/etcd/file/database.js";
import { fileAccess } from "../../sources/etcd/file/random-access.js";
import { idText } from "../../sources/etcd/members/member-list.js";
import { restoreDataDir } from "../history/data-dir.js";
import type { FounderData } from "./founder.js";

/** Where etcd keeps the members that it has, and those that it had. */
const MEMBER_BUCKETS = ["members", "members_removed"];

/**
 * A raw snapshot in a file: of `etcdctl snapshot save`; or, without a hash, the database of a member that is stopped.
 *
 * @throws UsageError, EtcdFileError, InterruptedError
 */
export async function dataOfFile(
  path: string,
  { skipHashCheck, signal }: { readonly skipHashCheck: boolean; readonly signal: AbortSignal },
): Promise<FounderData> {
  const file = await open(path, "r").catch((cause: unknown) => {
    throw new UsageError(`cannot read ${quoted(path)}: ${errorMessage(cause)}`, {
      cause,
      hint: "name a raw snapshot of etcd",
      settings: ["snapshot-file"],
    });
  });
  try {
    const database = await EtcdDatabase.open(await fileAccess(file), quoted(path));
    const { revision } = await database.facts(signal);
    return {
      revision,
      // The members alone tell, since a database has no id of its cluster.
      isFrom: async ({ memberId }) => {
        const found = MEMBER_BUCKETS.map((name) => database.lookUp(name, idText(memberId)));
        return (await Promise.all(found)).some((value) => value !== undefined);
      },
      makeDataDir: async (dataDir, member, signalOfRun) => {
        await restoreDataDir(path, dataDir, { ...member, skipHashCheck }, { signal: signalOfRun });
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}
