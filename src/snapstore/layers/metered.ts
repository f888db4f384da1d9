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
  /** Ended calls by the `code` of their error. */
  readonly errors: Record<string, number>;
  /** Sent by calls that succeeded. */
  bytesOut: number;
  /** Handed to a reader. */
  bytesIn: number;
  /** Spent in calls that have ended; of reads, the reader's time included. */
  milliseconds: number;
}

/** Counts by operation; plain numbers that only grow. An operation that was never called has none. */
export type StoreCounts = Partial<Record<StoreOperation, OperationCounts>>;

/** Counts what goes through a store, and knows whether it still gets anywhere. */
export class MeteredStore extends StoreLayer implements SnapStore {
  readonly counts: StoreCounts = {};
  readonly #now: () => number;
  #underWay = 0;
  /** When a call last succeeded, or was asked while nothing else was. */
  #heardAt = 0;

  /** @param now milliseconds */
  constructor(store: SnapStore, now: () => number = () => performance.now()) {
    super(store);
    this.#now = now;
  }

  /** So long no call has succeeded though some are under way; 0 while none is. */
  get silentMs(): number {
    return this.#underWay === 0 ? 0 : this.#now() - this.#heardAt;
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
    const counts = this.#of("get");
    const start = this.#begin(counts);
    let heard = false;
    try {
      for await (const piece of this.store.get(key, options)) {
        counts.bytesIn += piece.length;
        yield piece;
      }
      heard = true;
    } catch (error) {
      count(counts, error);
      throw error;
    } finally {
      this.#end(counts, start, heard);
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
    const counts = this.#of(operation);
    const start = this.#begin(counts);
    let heard = false;
    try {
      const result = await work();
      counts.bytesOut += bytesOut;
      heard = true;
      return result;
    } catch (error) {
      count(counts, error);
      throw error;
    } finally {
      this.#end(counts, start, heard);
    }
  }

  #begin(counts: OperationCounts): number {
    const now = this.#now();
    counts.calls++;
    if (this.#underWay++ === 0) this.#heardAt = now;
    return now;
  }

  #end(counts: OperationCounts, begun: number, heard: boolean): void {
    const now = this.#now();
    counts.milliseconds += now - begun;
    this.#underWay--;
    if (heard) this.#heardAt = now;
  }

  #of(operation: StoreOperation): OperationCounts {
    this.counts[operation] ??= { calls: 0, errors: {}, bytesOut: 0, bytesIn: 0, milliseconds: 0 };
    return this.counts[operation];
  }
}

function count({ errors }: OperationCounts, error: unknown): void {
  const code = error instanceof BackupToolError ? error.code : "OTHER";
  errors[code] = (errors[code] ?? 0) + 1;
}
