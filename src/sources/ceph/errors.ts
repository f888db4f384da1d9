import { constants } from "node:os";
import { BackupToolError, type ErrorDetails } from "../../errors.js";
import { quoted } from "../../quoted.js";

/** Stable codes of {@link CephError}. */
export type CephErrorCode =
  /** The cluster cannot be reached, or rejects the user or its key. */
  | "CEPH_CONNECT"
  /** The pool does not exist, or was removed. */
  | "CEPH_POOL_NOT_FOUND"
  /** No answer in time. */
  | "CEPH_TIMEOUT"
  /** The cluster or the pool is full, or a quota is reached. */
  | "CEPH_FULL"
  /** The capabilities of the user do not allow the operation. */
  | "CEPH_DENIED"
  /** The object, or a name in it, is over a limit of the cluster. */
  | "CEPH_TOO_LARGE"
  /** The pool cannot hold omap data: it is erasure-coded. */
  | "CEPH_NO_OMAP"
  /** The object changed between two reads of its parts. */
  | "CEPH_OBJECT_CHANGED"
  /** The pool has a cache tier or is one, so some of its objects may be in the other pool alone. */
  | "CEPH_CACHE_TIER"
  /** The librados binding is not built, or librados is not installed. */
  | "CEPH_UNAVAILABLE"
  /** Any other error of the cluster. */
  | "CEPH_IO";

/** The operation that failed. */
export interface CephErrorContext {
  /** Such as `list objects`. */
  readonly operation: string;
  readonly pool?: string | undefined;
  /** Raw name of the object. */
  readonly object?: Uint8Array | undefined;
}

/** An operation on a Ceph cluster failed. */
export class CephError extends BackupToolError {
  declare readonly code: CephErrorCode;
  readonly operation: string;
  readonly pool: string | undefined;
  readonly object: Uint8Array | undefined;
  /** Such as `EACCES`. */
  readonly errnoName: string | undefined;

  constructor(
    code: CephErrorCode,
    message: string,
    context: CephErrorContext & { readonly errnoName?: string | undefined },
    details?: ErrorDetails,
  ) {
    super(code, message, details);
    this.operation = context.operation;
    this.pool = context.pool;
    this.object = context.object;
    this.errnoName = context.errnoName;
  }

  /** @param errno of librados, negative */
  static of(errno: number, context: CephErrorContext): CephError {
    const errnoName = errnoNameOf(errno);
    const [code, text, hint, ...settings] = MEANINGS[errnoName] ?? ["CEPH_IO"];
    const { operation, object, pool } = context;
    const what = [
      operation,
      object === undefined ? "" : quoted(object),
      pool === undefined ? "" : `in pool ${quoted(pool)}`,
    ];
    const why = text === undefined ? errnoName : `${text} (${errnoName})`;
    const message = `ceph: ${what.filter(Boolean).join(" ")}: ${why}`;
    return new CephError(code, message, { ...context, errnoName }, { hint, settings });
  }
}

type Meaning = readonly [
  code: CephErrorCode,
  text?: string,
  hint?: string,
  ...settings: readonly string[],
];

const DENIED: Meaning = [
  "CEPH_DENIED",
  "not allowed",
  "see `ceph auth get` for what the user may do",
  "ceph-user",
];

const MEANINGS: Readonly<Record<string, Meaning>> = {
  ETIMEDOUT: [
    "CEPH_TIMEOUT",
    "no answer in time",
    "see `ceph health detail`: OSDs may be down, or the cluster or a pool full; a longer timeout may help",
    "ceph-timeout",
  ],
  // For a pool: callers handle ENOENT of an object.
  ENOENT: ["CEPH_POOL_NOT_FOUND", "the pool does not exist any more", "see `ceph osd pool ls`"],
  ENOSPC: ["CEPH_FULL", "the cluster is full", "see `ceph df` and `ceph health detail`"],
  EDQUOT: ["CEPH_FULL", "the quota of the pool is reached", "see `ceph osd pool get-quota`"],
  EACCES: DENIED,
  EPERM: DENIED,
  EFBIG: [
    "CEPH_TOO_LARGE",
    "the object is larger than the cluster allows",
    "raise osd_max_object_size on the target",
  ],
  EMSGSIZE: [
    "CEPH_TOO_LARGE",
    "the operation is larger than the cluster allows",
    "raise osd_max_write_size on the target",
  ],
  ENAMETOOLONG: [
    "CEPH_TOO_LARGE",
    "a name is longer than the cluster allows",
    "raise osd_max_object_name_len or osd_max_attr_name_len on the target",
  ],
  EOPNOTSUPP: [
    "CEPH_NO_OMAP",
    "the pool does not support it; an erasure-coded pool has no omap",
    "restore into a replicated pool",
  ],
  ESHUTDOWN: ["CEPH_IO", "the cluster has blocklisted this client", "see `ceph osd blocklist ls`"],
};

const NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** `ENOENT` for -2, and so on; `errno 4095` for a number without a name. */
export function errnoNameOf(errno: number): string {
  return NAMES.get(Math.abs(errno)) ?? `errno ${Math.abs(errno)}`;
}

/** Codes with a meaning of their own, negative as librados gives them. */
export const ENOENT = -constants.errno.ENOENT;
export const ECANCELED = -constants.errno.ECANCELED;
