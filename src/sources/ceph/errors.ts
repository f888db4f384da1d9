import { constants } from "node:os";
import { BackupToolError, type ErrorDetails } from "../../errors.js";
import { quoted } from "../../quoted.js";
import type { ReadFailure } from "./types.js";

/** Stable codes of {@link CephError}. */
export type CephErrorCode =
  /** The cluster cannot be reached, or does not take the user and its key. */
  | "CEPH_CONNECT"
  /** The pool does not exist, or no longer. */
  | "CEPH_POOL_NOT_FOUND"
  /** No answer in the time allowed. */
  | "CEPH_TIMEOUT"
  /** The cluster or the pool is full, or a quota is reached. */
  | "CEPH_FULL"
  /** The user's capabilities do not allow it. */
  | "CEPH_DENIED"
  /** The object, or a name in it, is over a limit of the cluster. */
  | "CEPH_TOO_LARGE"
  /** The pool cannot hold omap data: it is erasure-coded. */
  | "CEPH_NO_OMAP"
  /** The object changed between two reads that belong together. */
  | "CEPH_OBJECT_CHANGED"
  /** What the pool holds lies partly in another: a cache tier is between them. */
  | "CEPH_CACHE_TIER"
  /** The librados binding is not built, or librados is not installed. */
  | "CEPH_UNAVAILABLE"
  /** Whatever else the cluster answers. */
  | "CEPH_IO";

interface Context {
  readonly operation: string;
  readonly pool?: string | undefined;
  /** Raw name of the object. */
  readonly object?: Uint8Array | undefined;
  /** Such as `EACCES`. */
  readonly errnoName?: string | undefined;
}

/** Something that Ceph, or the way to it, did not do. */
export class CephError extends BackupToolError {
  declare readonly code: CephErrorCode;
  readonly operation: string;
  readonly pool: string | undefined;
  readonly object: Uint8Array | undefined;
  readonly errnoName: string | undefined;

  constructor(code: CephErrorCode, message: string, context: Context, options?: ErrorDetails) {
    super(code, message, options);
    this.operation = context.operation;
    this.pool = context.pool;
    this.object = context.object;
    this.errnoName = context.errnoName;
  }

  /** @param errno the negative code of librados */
  static of(errno: number, context: Omit<Context, "errnoName">): CephError {
    const errnoName = errnoNameOf(errno);
    const [code, words, hint, ...settings] = MEANINGS[errnoName] ?? ["CEPH_IO"];
    const what = [
      context.operation,
      context.object === undefined ? undefined : quoted(context.object),
      context.pool === undefined ? undefined : `in pool ${quoted(context.pool)}`,
    ];
    const message = `ceph: ${what.filter(Boolean).join(" ")}: ${words === undefined ? errnoName : `${words} (${errnoName})`}`;
    return new CephError(code, message, { ...context, errnoName }, { hint, settings });
  }

  /** The failure of one object's read, as an error. */
  static ofRead(pool: string, failure: ReadFailure): CephError {
    return CephError.of(-failure.errno, { operation: "read", pool, object: failure.name });
  }
}

/** By the name of the error: code, words, what to do, and the settings that it is about. */
const MEANINGS: Readonly<Record<string, [CephErrorCode, string?, string?, ...string[]]>> = {
  ETIMEDOUT: [
    "CEPH_TIMEOUT",
    "no answer in time",
    "see `ceph health detail`: OSDs may be down, or the cluster or a pool full; a longer timeout may help",
    "ceph-timeout",
  ],
  // Of an object it is no error, and is not reported by this.
  ENOENT: ["CEPH_POOL_NOT_FOUND", "the pool is no longer there", "see `ceph osd pool ls`"],
  ENOSPC: ["CEPH_FULL", "the cluster is full", "see `ceph df` and `ceph health detail`"],
  EDQUOT: ["CEPH_FULL", "the pool's quota is reached", "see `ceph osd pool get-quota`"],
  EACCES: [
    "CEPH_DENIED",
    "not allowed",
    "see `ceph auth get` for what the user may do",
    "ceph-user",
  ],
  EPERM: [
    "CEPH_DENIED",
    "not allowed",
    "see `ceph auth get` for what the user may do",
    "ceph-user",
  ],
  EFBIG: [
    "CEPH_TOO_LARGE",
    "the object is larger than the cluster takes",
    "raise osd_max_object_size on the target",
  ],
  EMSGSIZE: [
    "CEPH_TOO_LARGE",
    "one operation is larger than the cluster takes",
    "raise osd_max_write_size on the target",
  ],
  ENAMETOOLONG: [
    "CEPH_TOO_LARGE",
    "a name is longer than the cluster takes",
    "raise osd_max_object_name_len or osd_max_attr_name_len on the target",
  ],
  EOPNOTSUPP: [
    "CEPH_NO_OMAP",
    "the pool does not take it; an erasure-coded pool holds no omap",
    "restore into a replicated pool",
  ],
  ESHUTDOWN: [
    "CEPH_IO",
    "this client was blocklisted by the cluster",
    "see `ceph osd blocklist ls`",
  ],
};

const NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** `ENOENT` for -2 and so on; the number itself where it has no name. */
export function errnoNameOf(errno: number): string {
  return NAMES.get(Math.abs(errno)) ?? `errno ${Math.abs(errno)}`;
}

/** The negative codes that are more than an error. */
export const ENOENT = -constants.errno.ENOENT;
export const ECANCELED = -constants.errno.ECANCELED;
