import type { OperationEvent } from "../operations/events.js";
import { quoted } from "../quoted.js";
import type { Log } from "./log.js";
import type { Failure } from "./status.js";

/** Writes what an operation reports to the log, where it is of interest to an operator. */
export function logEvent(log: Log, job: Failure["job"], event: OperationEvent): void {
  switch (event.type) {
    case "warning":
      log.warn({ job }, event.message);
      return;
    case "note":
      log.debug({ job }, event.message);
      return;
    case "missing":
      log.warn(
        { job, pool: event.pool, object: quoted(Buffer.from(event.name)), reason: event.reason },
        "An object could not be read and is left out",
      );
      return;
    case "store-retrying":
      log.warn({ job, store: event.store, reason: event.reason }, "Retrying a call to the store");
      return;
    case "etcd-snapshot":
      log.info(
        { job, revision: event.revision, bytes: event.bytes },
        "Raw snapshot of etcd written",
      );
      return;
    case "snapshot-begun":
      log.info({ job, snapshot: event.snapshot, store: event.store }, "Backup begun");
      return;
    case "snapshot-stored":
      log.info(
        { job, snapshot: event.snapshot, store: event.store, secondary: event.secondary },
        "Backup stored",
      );
      return;
    case "sync-begun":
      log.info({ job, source: event.source, target: event.target }, "Getting source backups");
      return;
    case "sync-plan":
      log.info(
        { job, bytes: event.bytes, waiting: event.waiting, unwanted: event.unwanted },
        `Found ${event.copy} snapshots to copy and ${event.delete} to delete`,
      );
      return;
    case "snapshot-copying":
      log.info({ job, bytes: event.bytes, files: event.files }, `Copying ${event.key}`);
      return;
    case "sync-done":
      log.info(
        { job, copied: event.copied, repaired: event.repaired, deleted: event.deleted },
        "Backups copied",
      );
      return;
    case "mirror-refused":
      log.error({ job, store: event.store }, `Nothing is deleted, since ${event.reason}`);
      return;
    case "mirror-failed":
      log.error({ job, store: event.store, code: event.code }, event.reason);
      return;
    case "snapshot-not-deleted":
      log.error(
        { job, snapshot: event.snapshot, store: event.store, code: event.code },
        `A snapshot could not be deleted: ${event.reason}`,
      );
      return;
    case "snapshot-copied":
      if (event.outcome === "present") return;
      log.info(
        { job, snapshot: event.snapshot, bytes: event.copiedBytes, files: event.copiedFiles },
        event.outcome === "copied" ? "Copied a snapshot" : "Repaired a snapshot",
      );
      return;
    case "snapshot-not-copied":
      log.error(
        { job, snapshot: event.snapshot, code: event.code, reason: event.reason },
        "A snapshot could not be copied",
      );
      return;
    case "snapshot-deleted":
      log.info(
        { job, snapshot: event.snapshot, store: event.store, bytes: event.bytes },
        "Deleted a snapshot",
      );
      return;
    case "snapshot-damaged":
      log.error(
        { job, snapshot: event.snapshot, store: event.store, file: event.file },
        `A stored file is damaged: ${event.reason}`,
      );
      return;
    default:
  }
}
