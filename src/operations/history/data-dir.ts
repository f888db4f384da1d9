import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../../errors.js";
import { syncFolder } from "../../files/sync-folder.js";
import { quoted } from "../../quoted.js";
import { parseInitialCluster } from "../../sources/etcd/members/peer-urls.js";
import { type EtcdToolOptions, runEtcdTool } from "./etcd-tool.js";
import { type NewPath, newFolderPath } from "./new-path.js";

/** Who the member of a new data dir is: the options of `etcdctl snapshot restore`. */
export interface MemberOptions {
  readonly name: string;
  /** `name=peer URL` of every member, separated by commas. Undefined: this member alone. */
  readonly initialCluster?: string | undefined;
  /** A new one for each restore: an old member that wakes up must not join. */
  readonly initialClusterToken: string;
  /** Separated by commas. */
  readonly initialAdvertisePeerUrls: string;
  /** etcd's program does not compare the file with the SHA-256 at its end, and takes one without. */
  readonly skipHashCheck?: boolean | undefined;
}

/** The folder of a data dir that has all of it. */
const MEMBER = "member";

interface DataDirOptions extends EtcdToolOptions {
  /** The setting that named the data dir; default: `etcd-data-dir`. */
  readonly setting?: string | undefined;
}

/** The defaults of etcdctl, but for its token, which most clusters were founded with. */
export const DEFAULT_MEMBER = {
  name: "default",
  initialAdvertisePeerUrls: "http://localhost:2380",
} as const;

/**
 * Makes the data dir `dir` of one member from a raw snapshot by etcd's own program. The data dir is made beside, and appears
 * only when it is complete and on the disk; it must not exist, or be empty. Resolves with the name of the program. Throws UsageError,
 * `ETCD_TOOL_MISSING`, `ETCD_TOOL_FAILED`, InterruptedError.
 */
export async function restoreDataDir(
  snapshotFile: string,
  dir: string,
  member: MemberOptions,
  { setting = "etcd-data-dir", ...options }: DataDirOptions,
): Promise<string> {
  const target = await newFolderPath(dir, setting);
  const unfinished = target.unfinished();
  try {
    const tool = await runEtcdTool(restoreArguments(snapshotFile, unfinished, member), options);
    await syncFolders(unfinished);
    await renameToNew(unfinished, target);
    await syncFolder(target.folder);
    return tool;
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
}

function restoreArguments(file: string, dataDir: string, member: MemberOptions): string[] {
  const { name, initialAdvertisePeerUrls: urls, initialCluster = urlsOf(name, urls) } = member;
  // One word for each flag and its value: a value may begin with a dash.
  return [
    "snapshot",
    "restore",
    `--data-dir=${dataDir}`,
    `--name=${name}`,
    `--initial-cluster=${initialCluster}`,
    `--initial-cluster-token=${member.initialClusterToken}`,
    `--initial-advertise-peer-urls=${urls}`,
    ...(member.skipHashCheck === true ? ["--skip-hash-check"] : []),
    "--",
    file,
  ];
}

/** The peer URLs of each member. Throws UsageError. */
export function peerUrlsOfMembers({
  name,
  initialAdvertisePeerUrls: urls,
  initialCluster = urlsOf(name, urls),
}: MemberOptions): readonly (readonly string[])[] {
  return [...parseInitialCluster(initialCluster).values()];
}

/** The member alone, in the form of `initial-cluster`. */
function urlsOf(name: string, urls: string): string {
  return urls
    .split(",")
    .map((url) => `${name}=${url}`)
    .join(",");
}

/** etcd's program has synced the files, and not the names of the folders. */
async function syncFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncFolders(join(folder, entry.name));
  }
  await syncFolder(folder);
}

/**
 * rename() of a folder replaces an empty one at most: nothing is lost to another process that makes one meanwhile. In a data
 * dir that exists, `member` comes at once, which is all of it.
 */
async function renameToNew(unfinished: string, { path, folder }: NewPath): Promise<void> {
  const isInside = folder === path;
  const to = isInside ? join(path, MEMBER) : path;
  try {
    await rename(isInside ? join(unfinished, MEMBER) : unfinished, to);
    if (isInside) await rm(unfinished, { recursive: true, force: true });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST" && code !== "ENOTDIR") throw cause;
    throw new UsageError(`${quoted(to)} was made by someone else meanwhile`, { cause });
  }
}
