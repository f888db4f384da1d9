/** What operations report while they run. The CLI turns each event into lines; a library user sees them as they are. */
export type OperationEvent =
  | { readonly type: "keys-start" }
  | { readonly type: "keys-done"; readonly elapsedMs: number }
  /** A full backup: there is no base to compare with. */
  | { readonly type: "incremental-skipped" }
  | { readonly type: "ceph-skipped" }
  | { readonly type: "etcd-skipped" }
  | { readonly type: "pools"; readonly pools: readonly string[] }
  | { readonly type: "file-created"; readonly name: string }
  | {
      readonly type: "ceph-done";
      readonly included: number;
      readonly unchanged: number;
      /** Gone between listing and reading. */
      readonly vanished: number;
      /** In the base, and gone since. */
      readonly deleted: number;
    }
  | { readonly type: "etcd-done"; readonly included: number; readonly deleted: number }
  | {
      readonly type: "inspected";
      readonly objects: number;
      readonly records: number;
      readonly pools: readonly string[];
      readonly details?: BackupDetails;
    }
  | { readonly type: "etcd-keys-deleted"; readonly count: number }
  | {
      readonly type: "object-deleted";
      readonly pool: string;
      readonly name: Uint8Array;
      readonly namespace: Uint8Array;
    }
  | { readonly type: "cleared" }
  | { readonly type: "connecting-etcd" }
  | { readonly type: "connecting-ceph" }
  | {
      readonly type: "restored";
      readonly objects: number;
      /** In pools that were not mapped. */
      readonly skippedObjects: number;
      readonly records: number;
      readonly removedObjects: number;
      readonly removedKeys: number;
    }
  | {
      readonly type: "progress";
      readonly phase: string;
      readonly done: number;
      readonly total?: number;
      readonly unit: "objects" | "records" | "bytes";
      readonly bytes?: number;
    }
  | { readonly type: "warning"; readonly message: string }
  /** One thing that a `--keep-going` run could not read. */
  | {
      readonly type: "missing";
      readonly what: string;
      readonly name?: Uint8Array;
      readonly reason: string;
    };

/** What `inspect` tells beyond the lines of the original tool. */
export interface BackupDetails {
  readonly id: string;
  readonly kind: "full" | "incremental";
  readonly base?: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly toolVersion: string;
  readonly etcdRevision?: number;
  readonly files: number;
  /** Bytes on disk, all files. */
  readonly sealedBytes: number;
  /** Bytes before compression. */
  readonly plainBytes: number;
  /** Bytes of objects' data. */
  readonly objectBytes: number;
  readonly deletedObjects: number;
  readonly deletedKeys: number;
  readonly checked: "quick" | "full";
}
