import { open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { randomBytes } from "node:crypto";
import { UsageError, errorMessage } from "../../errors.js";
import { syncFolder } from "../../files/sync-folder.js";
import { quoted } from "../../quoted.js";
import { formatInitialCluster } from "../../sources/etcd/members/peer-urls.js";

/** What etcd has to know at its first start. */
export interface MemberStart {
  readonly name: string;
  readonly dataDir: string;
  readonly peerUrls: readonly string[];
  /** Peer URLs by the name of the member. */
  readonly initialCluster: ReadonlyMap<string, readonly string[]>;
}

/**
 * etcd's flags for its first start, with their values. The cluster exists for a founder too, whose data dir was restored: if
 * it is lost, etcd must not begin an empty cluster of the same id.
 */
export function startFlags(start: MemberStart): (readonly [flag: string, value: string])[] {
  return [
    ["name", start.name],
    ["data-dir", resolve(start.dataDir)],
    ["initial-advertise-peer-urls", start.peerUrls.join(",")],
    ["initial-cluster", formatInitialCluster(start.initialCluster)],
    ["initial-cluster-state", "existing"],
  ];
}

/**
 * The flags as variables that etcd reads, in the form of systemd's `EnvironmentFile=` that a shell reads alike.
 *
 * @throws UsageError for a value that would need quoting which the two read differently
 */
export function environmentText(start: MemberStart): string {
  const lines = startFlags(start).map(([flag, value]) => {
    if (!/^[\w@%+=:,./[\] -]*$/.test(value)) {
      throw new UsageError(
        `${flag} ${quoted(value)} has characters that an environment file cannot hold`,
      );
    }
    return `ETCD_${flag.toUpperCase().replaceAll("-", "_")}="${value}"`;
  });
  return `# Written by backuptool: the first start of etcd on this machine.\n${lines.join("\n")}\n`;
}

/** Replaces the file at once, so that etcd never reads half of it. @throws UsageError */
export async function writeEnvironmentFile(path: string, text: string): Promise<void> {
  const target = resolve(path);
  const temporary = `${target}.${randomBytes(8).toString("hex")}.tmp`;
  try {
    const file = await open(temporary, "wx", 0o644);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
    await syncFolder(dirname(target));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new UsageError(`cannot write ${quoted(path)}: ${errorMessage(cause)}`, {
      cause,
      settings: ["environment-file"],
      hint: "its folder must exist and be writable",
    });
  }
}
