import { BackupToolError } from "../../errors.js";
import { StoreLayer } from "./layer.js";
import type {
  GetOptions,
  ListOptions,
  ListPage,
  PutOptions,
  SnapStore,
  StaleOptions,
  StoredObject,
  StoreFacts,
  StoreUpload,
  UploadOptions,
} from "../store.js";

export type StoreOperation =
  | "put"
  | "startUpload"
  | "part"
  | "complete"
  | "abort"
  | "get"
  | "head"
  | "list"
  | "delete"
  | "abortStaleUploads"
  | "describe";

export interface OperationCounts {
  calls: number;
  /** Failed calls by error code. */
  readonly errors: Record<string, number>;
  /** Sent by successful calls. */
  bytesOut: number;
  /** Passed to readers. */
  bytesIn: number;
  /** Total time of finished calls; that of a read includes the time of its consumer. */
  milliseconds: number;
}

/** By operation. The numbers only grow; an operation that was never called has no entry. */
export type StoreCounts = Partial<Record<StoreOperation, OperationCounts>>;

/** Counts the calls of a store, and measures the time since the last success. */
export class MeteredStore extends StoreLayer implements SnapStore {
  readonly counts: StoreCounts = {};
  readonly #now: () => number;
  #inFlight = 0;
  /** Time of the last success, or of the first call after an idle period. */
  #succeededAt = 0;

  /** @param now milliseconds */
  constructor(store: SnapStore, now: () => number = () => performance.now()) {
    super(store);
    this.#now = now;
  }

  /** Time without a successful call, ms; 0 while no call is in flight. */
  get silentMs(): number {
    return this.#inFlight === 0 ? 0 : this.#now() - this.#succeededAt;
  }

  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void> {
    return this.#counted("put", () => this.store.put(key, bytes, options), bytes.length);
  }

  async startUpload(key: string, options: UploadOptions): Promise<StoreUpload> {
    const upload = await this.#counted("startUpload", () => this.store.startUpload(key, options));
    return {
      part: (number, bytes, signal) =>
        this.#counted("part", () => upload.part(number, bytes, signal), bytes.length),
      complete: (facts, signal) => this.#counted("complete", () => upload.complete(facts, signal)),
      abort: () => this.#counted("abort", () => upload.abort()),
    };
  }

  async *get(key: string, options?: GetOptions): AsyncGenerator<Uint8Array, void, void> {
    const counts = this.#countsOf("get");
    const start = this.#begin(counts);
    let succeeded = false;
    try {
      for await (const piece of this.store.get(key, options)) {
        counts.bytesIn += piece.length;
        yield piece;
      }
      succeeded = true;
    } catch (error) {
      countError(counts, error);
      throw error;
    } finally {
      this.#end(counts, start, succeeded);
    }
  }

  head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    return this.#counted("head", () => this.store.head(key, signal));
  }

  list(prefix: string, options?: ListOptions): Promise<ListPage> {
    return this.#counted("list", () => this.store.list(prefix, options));
  }

  delete(key: string, signal?: AbortSignal): Promise<void> {
    return this.#counted("delete", () => this.store.delete(key, signal));
  }

  abortStaleUploads(prefix: string, olderThan: Date, options?: StaleOptions): Promise<number> {
    return this.#counted("abortStaleUploads", () =>
      this.store.abortStaleUploads(prefix, olderThan, options),
    );
  }

  async describe(signal?: AbortSignal): Promise<StoreFacts> {
    return await this.#counted("describe", async () => (await this.store.describe?.(signal)) ?? {});
  }

  async #counted<T>(operation: StoreOperation, work: () => Promise<T>, bytesOut = 0): Promise<T> {
    const counts = this.#countsOf(operation);
    const start = this.#begin(counts);
    let succeeded = false;
    try {
      const result = await work();
      counts.bytesOut += bytesOut;
      succeeded = true;
      return result;
    } catch (error) {
      countError(counts, error);
      throw error;
    } finally {
      this.#end(counts, start, succeeded);
    }
  }

  #begin(counts: OperationCounts): number {
    const now = this.#now();
    counts.calls++;
    if (this.#inFlight++ === 0) this.#succeededAt = now;
    return now;
  }

  #end(counts: OperationCounts, start: number, succeeded: boolean): void {
    const now = this.#now();
    counts.milliseconds += now - start;
    this.#inFlight--;
    if (succeeded) this.#succeededAt = now;
  }

  #countsOf(operation: StoreOperation): OperationCounts {
    this.counts[operation] ??= { calls: 0, errors: {}, bytesOut: 0, bytesIn: 0, milliseconds: 0 };
    return this.counts[operation];
  }
}

function countError({ errors }: OperationCounts, error: unknown): void {
  const code = error instanceof BackupToolError ? error.code : "OTHER";
  errors[code] = (errors[code] ?? 0) + 1;
}
