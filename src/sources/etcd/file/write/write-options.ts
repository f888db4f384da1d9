/**
 * How a database is written. `patch`: the base is copied, and new pages are appended. `truncate`: likewise, without the
 * changes of later revisions. `repack`: every page is written anew, where the base has much that is free or too late.
 */
export type WriteMethod = "patch" | "truncate" | "repack";

export interface WriteOptions {
  /** The revision whose database is written. */
  readonly revision: number;
  /** etcd's compact revision at that revision, where the log says so; a lower one than that of the base does nothing. */
  readonly compactRevision?: number | undefined;
  /** Revisions to skip, so that etcd goes on higher than any revision that a client has seen. */
  readonly bump?: number | undefined;
  /** TTL in seconds of a lease that a key has and nothing else names. */
  readonly unknownLeaseTtlSeconds: number;
  /** Granted TTLs in seconds of leases that neither base nor log name, such as those of earlier logs. */
  readonly fixedLeases?: ReadonlyMap<bigint, number> | undefined;
  /** By default the one that writes less. */
  readonly method?: WriteMethod | undefined;
  readonly signal: AbortSignal;
  /** Called with the number of bytes that were written since the last call. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

export interface WrittenDatabase {
  /** Bytes of the file, with the SHA-256 at its end. */
  readonly bytes: number;
  /** SHA-256 of the whole file, hexadecimal. */
  readonly sha256: string;
  /** The revision that etcd is at when it starts on the file: with the bump. */
  readonly revision: number;
  readonly compactRevision: number;
  readonly method: WriteMethod;
  /** Leases that got `unknownLeaseTtlSeconds`. */
  readonly unknownLeases: number;
}
