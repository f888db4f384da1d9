import { ArchiveError } from "../../archive/errors.js";
import type { BackupToolError } from "../../errors.js";
import { LogError } from "../../snapshots/streams/log-errors.js";
import { EtcdFileError } from "../../sources/etcd/file/errors.js";

/** Whether an error is about what a backup or the log holds, or about a database that was made of it. */
export function isOfStoredData(error: unknown): error is BackupToolError {
  return (
    error instanceof ArchiveError || error instanceof EtcdFileError || error instanceof LogError
  );
}
