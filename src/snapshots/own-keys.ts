import { isBackupFile } from "../archive/format.js";
import { isUnfinished } from "../snapstore/local/new-file.js";
import { CONTROL_FOLDER } from "./control/control-file.js";
import { parseSnapshotName } from "./name.js";
import { parseDeltaName } from "./streams/delta-name.js";
import { parseStreamName } from "./streams/stream-name.js";

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

/** Whether a file in the folder of a stream has a name of this program: a delta, or a file of the stream's base. */
export function isOwnStreamFile(name: string): boolean {
  return isOwnFile(name) || parseDeltaName(name.replace(RCLONE_PARTIAL, "")) !== undefined;
}

/** Whether a file in a folder with the name of a snapshot or a stream has a name of this program. */
export function isOwnFileIn(folder: string, name: string): boolean {
  return parseStreamName(folder) === undefined ? isOwnFile(name) : isOwnStreamFile(name);
}

/** Whether this program may have written an object with this key, or started its upload. */
export function isOwnKey(key: string): boolean {
  const [folder = "", name, ...deeper] = key.split("/");
  if (name === undefined) return folder.startsWith(PROBE) || isUnfinished(folder);
  if (folder === CONTROL_FOLDER) return true;
  if (deeper.length > 0) return false;
  if (parseSnapshotName(folder) !== undefined) return isOwnFile(name);
  return parseStreamName(folder) !== undefined && isOwnStreamFile(name);
}
