/**
 * A place that keeps objects by key: the contract of every provider (s3/, abs/, gcs/, swift/, rclone/, local/), which
 * test/snapstore/conformance.ts checks. A provider has its own deadlines, and repeats no call but with a renewed token;
 * retries, limits and counts are layers around it (layers/).
 *
 * - Keys are `/`-separated paths below the store's prefix. `checkKey` and `checkPrefix` reject others first of all.
 * - An object appears whole or not at all, and every method may be repeated after a failure.
 * - Every method throws StoreError, with the code that decides about a retry, or InterruptedError once its signal aborts.
 * - No name, message or hint holds a secret.
 */
export interface SnapStore {
  /** For messages and logs: `s3://bucket/prefix`. */
  readonly name: string;
  /** Equal for two stores exactly when they are the same place: provider, endpoint, container, prefix. */
  readonly place: string;
  readonly capabilities: StoreCapabilities;

  /** Stores a small object in one call. The store checks the bytes by a digest that travels with them. */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void>;

  /** Starts a large object, whose parts follow; {@link StoreUpload.complete} makes it appear. */
  startUpload(key: string, options: UploadOptions): Promise<StoreUpload>;

  /**
   * The bytes of an object, or of a range of it, in pieces. A range is cut at the end of the object; past it, it is
   * empty. Throws STORE_NOT_FOUND without the object, STORE_TRANSIENT for bytes that are cut short.
   */
  get(key: string, options?: GetOptions): AsyncIterable<Uint8Array>;

  /** Undefined without the object; STORE_NOT_FOUND without the bucket or container. */
  head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined>;

  /**
   * One page of the objects whose keys start with `prefix` (empty, or whole path segments with a `/` at the end), in the
   * order of the UTF-8 bytes of their keys. Unfinished uploads and folder marks are not listed.
   */
  list(prefix: string, options?: ListOptions): Promise<ListPage>;

  /** Succeeds without the object. */
  delete(key: string, signal?: AbortSignal): Promise<void>;

  /** Aborts unfinished uploads below `prefix` that began before `olderThan`. Returns how many. */
  abortStaleUploads(prefix: string, olderThan: Date, options?: StaleOptions): Promise<number>;

  /** Facts about the place, where it can be asked. What it does not report is left out, with the reason. */
  describe?(signal?: AbortSignal): Promise<StoreFacts>;

  /** Ends connections and child processes. Nothing may be called afterwards. */
  close(): Promise<void>;
}

export interface StoreCapabilities {
  /** Whether parts of one upload may be in flight at the same time, in any order; else one at a time, in order. */
  readonly parallelParts: boolean;
  /** Whether `ifAbsent` holds against a concurrent writer, or is only a check beforehand. */
  readonly atomicIfAbsent: boolean;
  /** Bytes of the smallest part but the last. */
  readonly minPartBytes: number;
  /** Bytes of the largest part. */
  readonly maxPartBytes: number;
  /** Most parts of one object. */
  readonly maxParts: number;
}

export interface StoreFacts {
  /** How far the store's clock is ahead of ours, ms; its own resolution is a second. */
  readonly clockAheadMs?: number | undefined;
  /** Whether the store keeps deleted and overwritten objects as older versions. */
  readonly versioning?: "on" | "suspended" | "off" | undefined;
  readonly objectLock?: ObjectLock | undefined;
  readonly space?: { readonly freeBytes: number; readonly totalBytes: number } | undefined;
  /** Why the store did not report a fact that its kind has. */
  readonly unreported?: Partial<Record<"versioning" | "objectLock", string>>;
}

export interface ObjectLock {
  readonly enabled: boolean;
  /** The default lock of every new object: `COMPLIANCE`, 30 days. */
  readonly everyObject?: { readonly mode: string; readonly days: number } | undefined;
}

export interface PutOptions {
  /** Throw STORE_EXISTS when the object exists. */
  readonly ifAbsent?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface UploadOptions extends PutOptions {
  /** Bytes of each part but the last. */
  readonly partBytes: number;
}

export interface StaleOptions {
  /** Prefixes, as `list` takes them: uploads below them are kept, however old. */
  readonly keep?: readonly string[] | undefined;
  /**
   * Whether an upload of this key is this program's; by default each is. Local stores know the name of the unfinished
   * file alone, and pass that. Not called where all uploads are in a folder of this program (rclone).
   */
  readonly only?: ((key: string) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What an upload has sent. */
export interface UploadFacts {
  readonly parts: number;
  /** Bytes of all parts. */
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** An unfinished object: no reader sees anything of it before `complete`. */
export interface StoreUpload {
  /**
   * Sends part `number`, from 0. The caller leaves the bytes unchanged until it resolves, and may send the same part
   * again. The store checks the bytes by a digest that travels with them.
   */
  part(number: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Makes the object appear. Succeeds again when an earlier call succeeded and its answer was lost. */
  complete(facts: UploadFacts, signal?: AbortSignal): Promise<void>;
  /** Removes what was sent. Never throws: what is left is aborted with the stale uploads. */
  abort(): Promise<void>;
}

export interface GetOptions {
  /** First byte, from 0. */
  readonly offset?: number | undefined;
  /** Bytes from there; to the end by default. */
  readonly length?: number | undefined;
  /** Throw STORE_TRANSIENT when the object is no longer the one with this tag. */
  readonly ifTag?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface StoredObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly modified: Date;
  /** Changes when the content does: an ETag, a generation. */
  readonly tag?: string | undefined;
  /** Lower-case hex, where the store keeps the digest of `put` and `complete`. */
  readonly sha256?: string | undefined;
  /** The store does not delete or overwrite it before. */
  readonly lockedUntil?: Date | undefined;
}

export interface ListOptions {
  /** The `next` of the page before. */
  readonly cursor?: string | undefined;
  /** Only the objects right below `prefix`; deeper ones are reported as `folders`. */
  readonly shallow?: boolean | undefined;
  /** Most entries of a page. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ListPage {
  readonly objects: readonly StoredObject[];
  /** Prefixes with a `/` at their end; only of a shallow listing. */
  readonly folders: readonly string[];
  /** Absent on the last page. */
  readonly next?: string | undefined;
}
