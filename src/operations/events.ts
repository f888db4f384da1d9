import type { KdfDemand } from "../archive/crypto/passphrase-key.js";
import type { DoctorEvent } from "./doctor/check.js";
import type { HistoryEvent } from "./history/events.js";
import type { MemberEvent } from "./members/events.js";
import type { SnapshotEvent } from "./snapshots/events.js";
import type { StatusReport } from "./status/report.js";

/** What `inspect` reports beyond the counts of the original tool. */
export interface BackupDetails {
  /** The backup's id, as in its manifest. */
  id: string;
  kind: "full" | "incremental";
  /** Id of the base of an incremental. */
  base?: string;
  /** RFC 3339. */
  startedAt: string;
  /** RFC 3339. */
  finishedAt: string;
  toolVersion: string;
  etcdRevision?: number;
  /** The database of etcd, where the backup holds it. */
  etcdSnapshot?: { revision: number; compactRevision: number; bytes: number };
  /** Archive files, without METADATA and INDEX. */
  files: number;
  /** Bytes on disk. */
  sealedBytes: number;
  /** Bytes of the tar before compression. */
  plainBytes: number;
  /** Bytes of the data of all included objects. */
  objectBytes: number;
  deletedObjects: number;
  deletedKeys: number;
  /** `quick` opened only METADATA and INDEX. */
  checked: "quick" | "full";
}

/** An object, for messages. */
export interface ObjectPlace {
  readonly pool: string;
  readonly namespace: Uint8Array;
  readonly name: Uint8Array;
}

/** What `inspect` reports of an archive of the original tool. */
export interface OriginalDetails {
  /** Files on disk, without pools.txt. */
  files: number;
  /** Their bytes. */
  sealedBytes: number;
  /** Bytes of the data of all objects. */
  objectBytes: number;
}

/** What an operation reports while it runs: facts, which the CLI turns into text. */
export type OperationEvent =
  | SnapshotEvent
  | DoctorEvent
  | HistoryEvent
  | MemberEvent
  | ({ type: "status" } & StatusReport)
  | { type: "keys-start" }
  | { type: "keys-done"; elapsedMs: number }
  /** Comes before the key slots of an unverified header cost more than any that `create` writes. */
  | ({ type: "key-slots" } & KdfDemand)
  /** The backup that is read. */
  | {
      type: "backup-opened";
      id: string;
      kind: "full" | "incremental";
      /** RFC 3339. */
      startedAt: string;
      finishedAt: string;
      /** Absent without etcd. */
      etcdRevision?: number;
      /** Ids of its bases that are read too, its own base first. */
      bases: string[];
    }
  | { type: "incremental-skipped" }
  | { type: "ceph-skipped" }
  | { type: "etcd-skipped" }
  | { type: "pools"; pools: string[] }
  | { type: "file-created"; name: string }
  | { type: "ceph-done"; included: number; unchanged: number; vanished: number; deleted: number }
  | { type: "etcd-done"; included: number; deleted: number }
  /** The database of etcd was written, with the 32 bytes of its own SHA-256 at the end. */
  | { type: "etcd-snapshot"; revision: number; compactRevision: number; bytes: number }
  | {
      type: "inspected";
      objects: number;
      records: number;
      pools: string[];
      details?: BackupDetails;
      original?: OriginalDetails;
    }
  /** Two objects of an archive of the original tool with the same first bytes. */
  | { type: "suspects"; objects: readonly [ObjectPlace, ObjectPlace]; bytes: number }
  | { type: "converted"; objects: number; records: number; unchanged: number; deleted: number }
  | { type: "etcd-keys-deleted"; count: number; dryRun: boolean }
  | {
      type: "object-deleted";
      pool: string;
      name: Uint8Array;
      namespace: Uint8Array;
      dryRun: boolean;
    }
  | { type: "cleared" }
  | { type: "connecting-etcd" }
  | { type: "connecting-ceph" }
  | {
      type: "restored";
      objects: number;
      skippedObjects: number;
      records: number;
      removedObjects: number;
      removedKeys: number;
      /** Records that were left out because of their lease. */
      expiredRecords: number;
    }
  | {
      type: "progress";
      phase: string;
      done: number;
      total?: number;
      unit: "objects" | "records" | "items" | "bytes";
      bytes?: number;
    }
  /** `settings` are those that the message is about. */
  | { type: "warning"; message: string; settings?: readonly string[] | undefined }
  /** Of interest when something goes wrong. */
  | { type: "note"; message: string }
  /** An object that could not be read, with `--keep-going`. */
  | {
      type: "missing";
      pool: string;
      namespace: Uint8Array;
      name: Uint8Array;
      reason: string;
    };
