/**
 * Keeps objects by key: the contract of every provider (s3/, abs/, gcs/, swift/, rclone/, local/), which
 * test/snapstore/conformance.ts checks. A provider has its own deadlines and retries a call only with a renewed token;
 * retries, limits and metrics are layers around it (layers/).
 *
 * - Keys are `/`-separated paths below the store's prefix. `checkKey` and `checkPrefix` reject others before any call.
 * - An object appears whole or not at all. Every method may be called again after a failure.
 * - Every method throws StoreError, whose code decides about a retry, or InterruptedError once its signal aborts.
 * - Names, messages and hints hold no secrets.
 */
export interface SnapStore {
  /** For messages and logs: `s3://bucket/prefix`. */
  readonly name: string;
  /** Equal for two stores exactly when provider, endpoint, container and prefix are the same. */
  readonly place: string;
  readonly capabilities: StoreCapabilities;

  /** Stores a small object in one call. The store verifies the bytes by a digest that is sent with them. */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void>;

  /** Starts the upload of a large object in parts; {@link StoreUpload.complete} makes it appear. */
  startUpload(key: string, options: UploadOptions): Promise<StoreUpload>;

  /**
   * The bytes of an object, or of a range of it, in pieces. A range ends with the object; one that begins past its end
   * is empty. Throws STORE_NOT_FOUND if the object does not exist, STORE_TRANSIENT for a truncated body.
   */
  get(key: string, options?: GetOptions): AsyncIterable<Uint8Array>;

  /** Undefined if the object does not exist. Throws STORE_NOT_FOUND if the bucket or container does not exist. */
  head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined>;

  /**
   * One page of the objects whose keys start with `prefix` (empty, or whole path segments with a `/` at the end), in
   * the order of the UTF-8 bytes of their keys. Unfinished uploads and folder markers are not listed.
   */
  list(prefix: string, options?: ListOptions): Promise<ListPage>;

  /** Succeeds if the object does not exist. */
  delete(key: string, signal?: AbortSignal): Promise<void>;

  /** Aborts unfinished uploads below `prefix` that began before `olderThan`. Returns how many. */
  abortStaleUploads(prefix: string, olderThan: Date, options?: StaleOptions): Promise<number>;

  /** Facts about the bucket or folder. A fact that it does not report is left out, with the reason. */
  describe?(signal?: AbortSignal): Promise<StoreFacts>;

  /** Closes connections and ends child processes. No method may be called afterwards. */
  close(): Promise<void>;
}

export interface StoreCapabilities {
  /** Whether parts of an upload may be sent concurrently, in any order; otherwise one at a time, in order. */
  readonly parallelParts: boolean;
  /** Whether `ifAbsent` is atomic; otherwise it is only a check before the write. */
  readonly atomicIfAbsent: boolean;
  /** Smallest size of every part but the last, bytes. */
  readonly minPartBytes: number;
  /** Largest size of a part, bytes. */
  readonly maxPartBytes: number;
  /** Most parts of one object. */
  readonly maxParts: number;
  /**
   * Where the store reports `lockedUntil`: `never`, also if it can lock objects; in each `listing`, as well as by `head`; or
   * by `head` alone.
   */
  readonly locks: "never" | "listing" | "head";
}

export interface StoreFacts {
  /** How far the store's clock is ahead of this machine's, ms, with a resolution of a second. */
  readonly clockAheadMs?: number | undefined;
  /** Whether the store keeps deleted and overwritten objects as older versions. */
  readonly versioning?: "on" | "suspended" | "off" | undefined;
  readonly objectLock?: ObjectLock | undefined;
  readonly space?: { readonly freeBytes: number; readonly totalBytes: number } | undefined;
  /** Why the store did not report a fact that its provider has. */
  readonly unreported?: Partial<Record<"versioning" | "objectLock", string>>;
}

export interface ObjectLock {
  readonly enabled: boolean;
  /** Default retention of new objects, such as `COMPLIANCE` and 30 days. */
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
  /** Prefixes, as for `list`. Uploads below them are kept, whatever their age. */
  readonly keep?: readonly string[] | undefined;
  /**
   * Whether an upload of this key is one of this program; by default all are. Local stores pass the name of the
   * unfinished file. Not called by rclone stores, where all uploads are in a folder of this program.
   */
  readonly only?: ((key: string) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The content of an upload. */
export interface UploadFacts {
  readonly parts: number;
  /** Bytes of all parts. */
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** An upload in parts. The object does not exist for readers before `complete`. */
export interface StoreUpload {
  /**
   * Sends part `number`, from 0. The caller must not change the bytes until it resolves, and may send the same part
   * again. The store verifies the bytes by a digest that is sent with them.
   */
  part(number: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Makes the object appear. Succeeds also if an earlier call succeeded and its response was lost. */
  complete(facts: UploadFacts, signal?: AbortSignal): Promise<void>;
  /** Removes the parts. Never throws: what is left is removed by `abortStaleUploads`. */
  abort(): Promise<void>;
}

export interface GetOptions {
  /** First byte, from 0. */
  readonly offset?: number | undefined;
  /** Number of bytes; to the end by default. */
  readonly length?: number | undefined;
  /** Throw STORE_TRANSIENT if the object has another tag now. */
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
  /** Lower-case hex, if the store keeps the digest of `put` and `complete`. */
  readonly sha256?: string | undefined;
  /** Until then the store rejects deletion and overwriting. */
  readonly lockedUntil?: Date | undefined;
}

export interface ListOptions {
  /** The `next` of the page before. */
  readonly cursor?: string | undefined;
  /** List only the objects directly below `prefix`; deeper ones appear as `folders`. */
  readonly shallow?: boolean | undefined;
  /** Most entries of a page. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ListPage {
  readonly objects: readonly StoredObject[];
  /** Prefixes that end with `/`; only in a shallow listing. */
  readonly folders: readonly string[];
  /** Absent on the last page. */
  readonly next?: string | undefined;
}
