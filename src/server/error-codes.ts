import type { ArchiveErrorCode } from "../archive/errors.js";
import type { StoreErrorCode } from "../snapstore/errors.js";
import type { CephErrorCode } from "../sources/ceph/errors.js";
import type { EtcdErrorCode } from "../sources/etcd/errors.js";
import type { EtcdFileErrorCode } from "../sources/etcd/file/errors.js";

const STORE: Record<StoreErrorCode, true> = {
  STORE_THROTTLED: true,
  STORE_TRANSIENT: true,
  STORE_CREDENTIALS: true,
  STORE_IMMUTABLE: true,
  STORE_NOT_FOUND: true,
  STORE_EXISTS: true,
  STORE_FULL: true,
  STORE_OVERFLOW: true,
  STORE_FAILED: true,
};

const ARCHIVE: Record<ArchiveErrorCode, true> = {
  NOT_A_BACKUP: true,
  UNFINISHED_BACKUP: true,
  UNSUPPORTED_VERSION: true,
  WRONG_PASSPHRASE: true,
  DAMAGED: true,
  MISSING_FILE: true,
  DOES_NOT_BELONG: true,
};

const ETCD: Record<EtcdErrorCode, true> = {
  ETCD_UNAVAILABLE: true,
  ETCD_TIMEOUT: true,
  ETCD_AUTH: true,
  ETCD_TLS: true,
  ETCD_COMPACTED: true,
  ETCD_NO_SPACE: true,
  ETCD_TOO_LARGE: true,
  ETCD_LEASE_GONE: true,
  ETCD_MIXED_CLUSTERS: true,
  ETCD_PROTOCOL: true,
  ETCD_IO: true,
};

const ETCD_FILE: Record<EtcdFileErrorCode, true> = {
  ETCD_FILE_NOT_A_DATABASE: true,
  ETCD_FILE_DAMAGED: true,
  ETCD_FILE_UNSUPPORTED: true,
  ETCD_FILE_TRUNCATED: true,
  ETCD_FILE_DIGEST: true,
  ETCD_FILE_LOG: true,
  ETCD_FILE_REVISION: true,
  ETCD_FILE_IO: true,
};

const CEPH: Record<CephErrorCode, true> = {
  CEPH_CONNECT: true,
  CEPH_POOL_NOT_FOUND: true,
  CEPH_TIMEOUT: true,
  CEPH_FULL: true,
  CEPH_DENIED: true,
  CEPH_TOO_LARGE: true,
  CEPH_NO_OMAP: true,
  CEPH_OBJECT_CHANGED: true,
  CEPH_CACHE_TIER: true,
  CEPH_UNAVAILABLE: true,
  CEPH_IO: true,
};

/** Codes of errors of no larger family. */
const OTHERS = [
  "ALERT_FAILED",
  "BREAKER_OPEN",
  "CLOCK_WRONG",
  "COPY_MISMATCH",
  "DECLINED",
  "ENTRY_TOO_LONG",
  "ETCD_DATA_DIR",
  "ETCD_DATA_DIR_EXISTS",
  "ETCD_JOIN_TIMEOUT",
  "ETCD_MEMBER_ALIVE",
  "ETCD_MEMBER_LISTED",
  "ETCD_MEMBER_REMOVED",
  "ETCD_WRONG_CLUSTER",
  "ETCD_GAP",
  "ETCD_LOG_BROKEN",
  "ETCD_QUARANTINE",
  "ETCD_TOO_OLD",
  "ETCD_TOOL_FAILED",
  "ETCD_TOOL_MISSING",
  "FOLDER",
  "FOREIGN_FILE",
  "HISTORY_UNCERTAIN",
  "INTERRUPTED",
  "LISTEN_FAILED",
  "LOG_FORK",
  "LOG_HOLE",
  "LOG_UNPROVEN",
  "NOT_ENOUGH_MEMORY",
  "NOT_LEADER",
  "NOT_NEWEST",
  "NOT_RENEWED",
  "NO_BASE",
  "NO_DELTAS",
  "NO_EPOCH",
  "NO_HOLD",
  "NO_RAW_SNAPSHOT",
  "NO_SNAPSHOT",
  "OUTPUT",
  "PASSPHRASE_COMMAND",
  "RETENTION_INCOMPLETE",
  "RETENTION_PAUSED",
  "REVISION_NOT_HELD",
  "SERVER_FAILED",
  "SERVER_UNREACHABLE",
  "SNAPSHOT_CONFLICT",
  "SNAPSHOT_HELD",
  "SNAPSHOT_NEEDED",
  "SNAPSHOT_PINNED",
  "SPOOL",
  "MIRROR_REFUSED",
  "SYNC_INCOMPLETE",
  "TIME_NOT_HELD",
  "TOO_MANY_CONTROL_FILES",
  "TOO_MANY_OBJECTS",
  "USAGE",
  "VERIFICATION_FAILED",
  "WATCH_ENDED",
  "ZSTD_UNAVAILABLE",
] as const;

/** Every code that an error of this program can have: the values of a label must be a closed set. */
export const ERROR_CODES: ReadonlySet<string> = new Set([
  ...[STORE, ARCHIVE, ETCD, ETCD_FILE, CEPH].flatMap((codes) => Object.keys(codes)),
  ...OTHERS,
]);

/** A code as the value of a label: one of {@link ERROR_CODES}, or `OTHER`. */
export function codeLabel(code: string): string {
  return ERROR_CODES.has(code) ? code : "OTHER";
}
