import { isBackupFile } from "../archive/format.js";
import { isUnfinished } from "../snapstore/local/new-file.js";
import { parseSnapshotName } from "./name.js";

/** What rclone adds to a name until the file is whole, on a remote that cannot move files. */
const RCLONE_PARTIAL = /\.[0-9a-z]{8}\.partial$/;

const PROBE = ".backuptool-probe-";

/** The key of what `doctor` puts into a store and removes again. */
export function probeKey(random: string): string {
  return PROBE + random;
}

/**
 * Whether this program gives such names to files right below the folder of a snapshot. Other tools have folders of
 * the same names (etcd-backup-restore keeps the segments of a Swift object there) and other files in them.
 */
export function isOwnFile(name: string): boolean {
  return isBackupFile(name.replace(RCLONE_PARTIAL, "")) || isUnfinished(name);
}

/** Whether this program may have written, or begun to write, an object with this key in a store. */
export function isOwnKey(key: string): boolean {
  const [folder = "", name, ...deeper] = key.split("/");
  if (name === undefined) return folder.startsWith(PROBE) || isUnfinished(folder);
  return deeper.length === 0 && parseSnapshotName(folder) !== undefined && isOwnFile(name);
}
