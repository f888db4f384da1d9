import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { BackupToolError } from "../../errors.js";
import { lockPath } from "../../files/path-lock.js";
import { quoted } from "../../quoted.js";
import { dataDirIdentity } from "../../sources/etcd/members/data-dir-identity.js";
import { foundedIds } from "../../sources/etcd/members/member-id.js";
import { idText } from "../../sources/etcd/members/member-list.js";
import type { OperationContext } from "../context.js";
import { restoreDataDir } from "../history/data-dir.js";
import { type NewPath, newFolderPath, unfinishedStart } from "../history/new-path.js";
import { type FormerData, newToken, unusedToken } from "../history/unused-token.js";
import { checkLost, type FormerMembers } from "./check-lost.js";
import {
  environmentText,
  type MemberStart,
  startFlags,
  writeEnvironmentFile,
} from "./environment-file.js";

export interface FounderOptions extends FormerMembers {
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly dataDir: string;
  /** Of the new cluster; a new one by default. */
  readonly token?: string | undefined;
  readonly environmentFile?: string | undefined;
}

/** Writes the database of the new cluster to the new file `out`. */
export type WriteFounderData = (
  out: string,
  checkBase: (base: FormerData) => Promise<void>,
) => Promise<FounderData>;

export interface FounderData {
  readonly revision: number;
  /** False where the deltas lack what a time would need. */
  readonly complete: boolean;
}

/**
 * Makes the data dir of the first member of a new cluster, which the others join. `complete` is that of its data.
 *
 * @throws BackupToolError `ETCD_DATA_DIR_EXISTS`, `ETCD_MEMBER_ALIVE`, `ETCD_TOKEN_REUSED`; UsageError; InterruptedError
 */
export async function restoreFounder(
  options: FounderOptions,
  writeData: WriteFounderData,
  { signal, report }: Pick<OperationContext, "signal" | "report">,
): Promise<Pick<FounderData, "complete">> {
  const { name, peerUrls, dataDir, environmentFile } = options;
  await checkNoData(dataDir);
  await checkLost(options, signal);
  const target = await newFolderPath(dataDir, "etcd-data-dir");
  const token = options.token ?? newToken();
  const { clusterId, memberIds } = foundedIds([peerUrls], token);
  const [memberId = 0n] = memberIds;
  const start: MemberStart = {
    name,
    dataDir,
    peerUrls,
    initialCluster: new Map([[name, peerUrls]]),
  };
  // Before the data is made: its characters may be wrong.
  const text = environmentFile === undefined ? undefined : environmentText(start);
  const lock = await lockPath(target.path);
  const database = target.unfinished();
  try {
    await removeUnfinished(target);
    const { revision, complete } = await writeData(database, unusedToken([peerUrls], token));
    // Again: the data takes hours where it is large, and a member or another founder may have come up meanwhile.
    await checkLost(options, signal);
    // The data dir comes last: once it exists, everything is done.
    if (environmentFile !== undefined && text !== undefined) {
      await writeEnvironmentFile(environmentFile, text);
    }
    const initialAdvertisePeerUrls = peerUrls.join(",");
    const member = { name, initialClusterToken: token, initialAdvertisePeerUrls };
    await restoreDataDir(database, target.path, member, { signal });
    report({
      type: "founder-restored",
      dataDir,
      name,
      memberId: idText(memberId),
      clusterId: idText(clusterId),
      revision,
      token,
      flags: startFlags(start),
      ...(environmentFile === undefined ? {} : { environmentFile }),
    });
    return { complete };
  } finally {
    await rm(database, { force: true });
    await lock.release();
  }
}

/** What a restore that was killed has left: it can be as large as etcd. */
async function removeUnfinished({ path, folder }: NewPath): Promise<void> {
  const start = unfinishedStart(path);
  for (const name of await readdir(folder)) {
    if (name.startsWith(start)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** A founder on the data of another member would lose it, or bring a former cluster back. */
async function checkNoData(dataDir: string): Promise<void> {
  const identity = await dataDirIdentity(dataDir);
  if (identity === undefined) return;
  const { memberId, clusterId } = identity;
  throw new BackupToolError(
    "ETCD_DATA_DIR_EXISTS",
    `${quoted(dataDir)} has the data of member ${idText(memberId)} of cluster ${idText(clusterId)} already`,
    {
      hint: "start etcd on it if that is the member you want; else move it away, and run this again",
      settings: ["etcd-data-dir"],
    },
  );
}
