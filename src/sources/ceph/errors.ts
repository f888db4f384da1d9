import { constants } from "node:os";
import { BackupToolError } from "../../errors.js";
import { quoted } from "../../quoted.js";

/** Stable codes of {@link CephError}. */
export type CephErrorCode =
  /** The cluster cannot be reached, or rejects the user or its key. */
  | "CEPH_CONNECT"
  /** The pool does not exist, or was removed. */
  | "CEPH_POOL_NOT_FOUND"
  /** No answer in the time allowed. */
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

/** What failed. */
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
    options: { cause?: unknown; hint?: string | undefined } = {},
  ) {
    super(code, message, options);
    this.operation = context.operation;
    this.pool = context.pool;
    this.object = context.object;
    this.errnoName = context.errnoName;
  }

  /** @param errno of librados, negative */
  static of(errno: number, context: CephErrorContext): CephError {
    const errnoName = errnoNameOf(errno);
    const { code, text, hint } = MEANINGS[errnoName] ?? { code: "CEPH_IO" };
    const { operation, object, pool } = context;
    const what = [
      operation,
      object === undefined ? "" : quoted(object),
      pool === undefined ? "" : `in pool ${quoted(pool)}`,
    ];
    const why = text === undefined ? errnoName : `${text} (${errnoName})`;
    const message = `ceph: ${what.filter(Boolean).join(" ")}: ${why}`;
    return new CephError(code, message, { ...context, errnoName }, { hint });
  }
}

interface Meaning {
  readonly code: CephErrorCode;
  readonly text?: string;
  readonly hint?: string;
}

const DENIED: Meaning = {
  code: "CEPH_DENIED",
  text: "not allowed",
  hint: "see `ceph auth get` for what --ceph-user may do",
};

/** Of errors of an object, ENOENT is never reported this way. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  ETIMEDOUT: {
    code: "CEPH_TIMEOUT",
    text: "no answer in time",
    hint: "see `ceph health detail`: OSDs may be down, or the cluster or a pool full; --ceph-timeout waits longer",
  },
  ENOENT: {
    code: "CEPH_POOL_NOT_FOUND",
    text: "the pool does not exist any more",
    hint: "see `ceph osd pool ls`",
  },
  ENOSPC: {
    code: "CEPH_FULL",
    text: "the cluster is full",
    hint: "see `ceph df` and `ceph health detail`",
  },
  EDQUOT: {
    code: "CEPH_FULL",
    text: "the quota of the pool is reached",
    hint: "see `ceph osd pool get-quota`",
  },
  EACCES: DENIED,
  EPERM: DENIED,
  EFBIG: {
    code: "CEPH_TOO_LARGE",
    text: "the object is larger than the cluster allows",
    hint: "raise osd_max_object_size on the target",
  },
  EMSGSIZE: {
    code: "CEPH_TOO_LARGE",
    text: "the operation is larger than the cluster allows",
    hint: "raise osd_max_write_size on the target",
  },
  ENAMETOOLONG: {
    code: "CEPH_TOO_LARGE",
    text: "a name is longer than the cluster allows",
    hint: "raise osd_max_object_name_len or osd_max_attr_name_len on the target",
  },
  EOPNOTSUPP: {
    code: "CEPH_NO_OMAP",
    text: "the pool does not support it; an erasure-coded pool has no omap",
    hint: "restore into a replicated pool",
  },
  ESHUTDOWN: {
    code: "CEPH_IO",
    text: "the cluster has blocklisted this client",
    hint: "see `ceph osd blocklist ls`",
  },
};

const NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** `ENOENT` for -2, and so on; `errno 4095` for a number without a name. */
export function errnoNameOf(errno: number): string {
  return NAMES.get(Math.abs(errno)) ?? `errno ${Math.abs(errno)}`;
}

/** Codes with a meaning of their own, negative as librados gives them. */
export const ENOENT = -constants.errno.ENOENT;
export const ECANCELED = -constants.errno.ECANCELED;
