import { isBackupFile } from "../archive/format.js";
import { isUnfinished } from "../snapstore/local/new-file.js";
import { CONTROL_FOLDER } from "./control/control-file.js";
import { parseSnapshotName } from "./name.js";

/** Suffix of an unfinished file of rclone, on a remote that cannot move files. */
const RCLONE_PARTIAL = /\.[0-9a-z]{8}\.partial$/;

const PROBE = ".backuptool-probe-";

/** Key of the probe object of `doctor`. */
export function probeKey(random: string): string {
  return PROBE + random;
}

/**
 * Whether a file in the folder of a snapshot has a name of this program. Other tools have folders with the same names:
 * etcd-backup-restore stores the segments of Swift objects in them.
 */
export function isOwnFile(name: string): boolean {
  return isBackupFile(name.replace(RCLONE_PARTIAL, "")) || isUnfinished(name);
}

/** Whether this program may have written an object with this key, or started its upload. */
export function isOwnKey(key: string): boolean {
  const [folder = "", name, ...deeper] = key.split("/");
  if (name === undefined) return folder.startsWith(PROBE) || isUnfinished(folder);
  if (folder === CONTROL_FOLDER) return true;
  return deeper.length === 0 && parseSnapshotName(folder) !== undefined && isOwnFile(name);
}
