/**
 * The one interface to every place that backups are kept in. Keys are `/`-separated paths below the
 * store's prefix; empty segments, `.` and `..` are refused (`checkKey`). Objects appear whole or not
 * at all. Every method throws StoreError, or InterruptedError once its signal has fired.
 */
export interface SnapStore {
  /** For messages and logs, without secrets: `s3://bucket/prefix`. */
  readonly name: string;
  /** The same for two stores exactly when they are the same place: provider, endpoint, container, prefix. */
  readonly place: string;
  readonly capabilities: StoreCapabilities;

  /** Stores a small object in one call. */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void>;

  /** Starts a large object, whose parts follow; it appears by {@link StoreUpload.complete}. */
  startUpload(key: string, options: UploadOptions): Promise<StoreUpload>;

  /**
   * The bytes of an object, or what of a range lies in it, in pieces: a range past the end has none.
   * Throws STORE_TRANSIENT when cut short.
   */
  get(key: string, options?: GetOptions): AsyncIterable<Uint8Array>;

  /** Undefined when nothing is there. */
  head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined>;

  /** One page of what begins with `prefix` (whole path segments: empty, or with a `/` at its end), by key. */
  list(prefix: string, options?: ListOptions): Promise<ListPage>;

  /** Deleting what is not there is no error. */
  delete(key: string, signal?: AbortSignal): Promise<void>;

  /** Aborts unfinished uploads below `prefix` begun before `olderThan`. Returns how many there were. */
  abortStaleUploads(prefix: string, olderThan: Date, options?: StaleOptions): Promise<number>;

  /** What the place says of itself, where it can be asked. What it does not tell is left out, with why. */
  describe?(signal?: AbortSignal): Promise<StoreFacts>;

  /** Ends connections and child processes. */
  close(): Promise<void>;
}

export interface StoreCapabilities {
  /** Whether parts of one upload may be on their way at the same time; else one after the other, in order. */
  readonly parallelParts: boolean;
  /** Whether `ifAbsent` holds against another writer at the same moment, or only looks before. */
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
  /** Whether what is deleted or overwritten is kept as an older version. */
  readonly versioning?: "on" | "suspended" | "off" | undefined;
  readonly objectLock?: ObjectLock | undefined;
  readonly space?: { readonly freeBytes: number; readonly totalBytes: number } | undefined;
  /** Why a fact that this kind of store has could not be had. */
  readonly untold?: Partial<Record<"versioning" | "objectLock", string>>;
}

export interface ObjectLock {
  readonly enabled: boolean;
  /** How long every new object is locked unless told otherwise: `COMPLIANCE`, 30 days. */
  readonly everyObject?: { readonly mode: string; readonly days: number } | undefined;
}

export interface PutOptions {
  /** Refuse with STORE_EXISTS when something stands there. */
  readonly ifAbsent?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface UploadOptions extends PutOptions {
  /** Bytes of each part but the last. */
  readonly partBytes: number;
}

export interface StaleOptions {
  /** Prefixes, as `list` takes them: uploads below them are left alone, however old. */
  readonly spare?: readonly string[] | undefined;
  /**
   * Whether an upload of this key is this program's; by default each is. In its place stands the name of the unfinished
   * file, where that alone is known (Local). Not asked where all uploads are in a folder of this program (rclone).
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

/** An object on its way. Nothing of it is seen before `complete`. */
export interface StoreUpload {
  /**
   * Sends part `number`, from 0. The bytes stay untouched until it resolves; the same part may be
   * sent again after a failure. The store checks the bytes by a digest that travels with them.
   */
  part(number: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Makes the object appear. May be called again after a failure. */
  complete(facts: UploadFacts, signal?: AbortSignal): Promise<void>;
  /** Throws everything away. Never throws. */
  abort(): Promise<void>;
}

export interface GetOptions {
  /** First byte, from 0. */
  readonly offset?: number | undefined;
  /** Bytes from there; up to the end unless told. */
  readonly length?: number | undefined;
  /** Refuse with STORE_TRANSIENT when the object is no longer the one that had this tag. */
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
  /** Lower-case hex, where the store keeps what `complete` said. */
  readonly sha256?: string | undefined;
  /** Until when the store refuses to delete or overwrite it. */
  readonly lockedUntil?: Date | undefined;
}

export interface ListOptions {
  /** The `next` of the page before. */
  readonly cursor?: string | undefined;
  /** Only the objects right below `prefix`; what lies deeper shows as `folders`. */
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
