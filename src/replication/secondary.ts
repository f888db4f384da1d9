import { setImmediate as immediate, setTimeout as sleep } from "node:timers/promises";
import type { FileDigest } from "../threads/file-thread.js";
import type { FileFacts } from "../archive/manifest/manifest.js";
import { StoreError } from "../snapstore/errors.js";
import type { Part } from "../snapstore/parts/part.js";
import { partSize } from "../snapstore/parts/part-size.js";
import { PartSender } from "../snapstore/parts/upload.js";
import type { SecondaryDestination } from "./destination.js";
import { finishSnapshot } from "../snapshots/finish.js";
import { Lag, LaggingSender } from "./lagging-sender.js";
import { checkNoForeign } from "../snapshots/foreign-files.js";
import { checkStored } from "../snapshots/file-check.js";

/** Maximum bytes in the queue before the primary waits. */
const LAG_BYTES = 64 << 20;
/** Maximum files that wait for their last parts before the primary waits. */
const LAG_FILES = 8;
/** Maximum share of the run that the primary waits for a slow secondary, in total. */
const MAX_WAIT_SHARE = 0.05;
/** Added to that limit while calls of the secondary succeed, ms. */
const GRACE_MS = 1_000;
/** Without a success for this long, the calls count as failing, ms. */
const QUIET_MS = 500;
/** Maximum wait for the secondary once the primary is complete, ms. */
const MAX_WAIT_MS = 60_000;
/** That wait ends after this long without a success, ms. */
const SILENT_MS = 10_000;
/** Maximum wait for the uploads of an abandoned secondary to be aborted, ms. */
const MAX_ABORT_MS = 5_000;
const POLL_MS = 100;
const POLL_ROOM_MS = 10;

/** A file that is being sent to the secondary. None of these calls throws. */
export interface SecondaryFile {
  /** Takes ownership of the part; resolves when there is room for more. */
  offer(part: Part): Promise<void>;
  finish(last: Part, digest: FileDigest): void;
  abort(): Promise<void>;
}

interface SecondaryOptions {
  /** Name of the snapshot. */
  readonly snapshot: string;
  /** Maximum size of an ARCHIVE file, bytes. */
  readonly expectedFileBytes: number;
  readonly signal: AbortSignal;
  /** Maximum delay of a listing, ms. */
  readonly listingLateMs?: number | undefined;
  /** Called once, when the secondary is abandoned. */
  onSecondaryFailed(error: unknown): void;
}

/**
 * The second store of a new backup. Its first failure is reported once, and nothing more is sent to it; the time that
 * the primary waits for it is limited.
 */
export class Secondary {
  readonly #destination: SecondaryDestination;
  readonly #options: SecondaryOptions;
  readonly #stop = new AbortController();
  readonly #lag = new Lag();
  readonly #open = new Set<LaggingSender>();
  readonly #finishing = new Set<Promise<void>>();
  readonly #begun = performance.now();
  /** Rejects if the folder of the snapshot has a file of another program. */
  readonly #folderChecked: Promise<void>;
  /** Files that the store has. */
  readonly #files: FileFacts[] = [];
  #waitedMs = 0;
  #waiting: Promise<void> | undefined;
  #aborting: Promise<void> = Promise.resolve();
  #closed = false;
  #primaryComplete = false;
  failed = false;

  constructor(destination: SecondaryDestination, options: SecondaryOptions) {
    this.#destination = destination;
    this.#options = options;
    this.#folderChecked = checkNoForeign(destination.store, options.snapshot, this.#signal).then(
      () => {},
    );
    // The first file reports it.
    this.#folderChecked.catch(() => {});
  }

  /** Part size for both stores, given that of the primary. */
  partBytes(ofPrimary: number): number {
    if (this.failed) return ofPrimary;
    const { store, minChunkBytes } = this.#destination;
    const { expectedFileBytes: expectedBytes } = this.#options;
    try {
      return partSize(store, { partBytes: Math.max(ofPrimary, minChunkBytes), expectedBytes });
    } catch (error) {
      // The store cannot hold files of this size.
      this.#fail(error);
      return ofPrimary;
    }
  }

  /** Starts a file; undefined once the secondary is abandoned. */
  async open(key: string, partBytes: number): Promise<SecondaryFile | undefined> {
    await this.#room();
    if (this.failed) return undefined;
    const sender = new PartSender(this.#destination.store, key, partBytes, {
      parallel: this.#destination.maxParallelChunks,
      ifAbsent: true,
      signal: this.#signal,
      ready: this.#folderChecked,
    });
    const file = new LaggingSender(sender, this.#lag);
    this.#open.add(file);
    return {
      offer: async (part) => {
        if (this.failed) return part.release();
        try {
          file.offer(part);
        } catch (error) {
          this.#fail(error);
        }
        await this.#room();
      },
      finish: (last, digest) => {
        if (this.failed) return last.release();
        const finishing = this.#finishFile(file, key, last, digest)
          .catch((error) => this.#fail(error))
          .finally(() => this.#finishing.delete(finishing));
        this.#finishing.add(finishing);
      },
      abort: () => this.#abort(file),
    };
  }

  /** Waits for the files in flight, and completes the snapshot. */
  async finish(manifest: Uint8Array): Promise<void> {
    this.#primaryComplete = true;
    const ended = async () => {
      await Promise.all(this.#finishing);
      if (this.failed) return;
      const { store } = this.#destination;
      const { snapshot, listingLateMs: lateMs } = this.#options;
      const files = this.#files;
      await finishSnapshot(store, snapshot, { files, manifest, signal: this.#signal, lateMs });
    };
    try {
      if (!(await this.#inTime(ended(), MAX_WAIT_MS, SILENT_MS))) {
        throw this.#behind("it was still behind when the primary was complete");
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  async close(): Promise<void> {
    // Calls that are aborted now do not count as failures.
    this.#closed = true;
    this.#abandon();
    await this.#aborting;
  }

  get #signal(): AbortSignal {
    return AbortSignal.any([this.#options.signal, this.#stop.signal]);
  }

  get #full(): boolean {
    if (this.failed || this.#closed) return false;
    return this.#lag.bytes > LAG_BYTES || this.#finishing.size > LAG_FILES;
  }

  /** Waits for room in the queue, or until the secondary is abandoned. Never throws. */
  async #room(): Promise<void> {
    if (!this.#full) return;
    this.#waiting ??= this.#waitForRoom();
    await this.#waiting;
  }

  async #waitForRoom(): Promise<void> {
    const begun = performance.now();
    for (;;) {
      await sleep(POLL_ROOM_MS);
      // On a busy machine responses may be queued: handle them first.
      await immediate();
      const now = performance.now();
      if (!this.#full) break;
      const succeeding = this.#destination.store.silentMs < QUIET_MS;
      const limit = MAX_WAIT_SHARE * (now - this.#begun) + (succeeding ? GRACE_MS : 0);
      if (this.#waitedMs + now - begun > limit) {
        this.#fail(this.#behind("it is too slow, and fell too far behind the primary store"));
        break;
      }
    }
    this.#waitedMs += performance.now() - begun;
    this.#waiting = undefined;
  }

  async #finishFile(
    file: LaggingSender,
    key: string,
    last: Part,
    digest: FileDigest,
  ): Promise<void> {
    await file.finish(last, digest.sha256);
    await checkStored(this.#destination.store, key, digest, this.#signal);
    this.#files.push({ name: key.slice(this.#options.snapshot.length + 1), ...digest });
    this.#open.delete(file);
  }

  /** The retries in progress end, so the error includes the last failure behind them. */
  #behind(message: string): StoreError {
    const { store, recentFailure } = this.#destination;
    const cause = recentFailure.error;
    const last = cause === undefined ? "" : `; last: ${cause.reason}`;
    return new StoreError("STORE_TRANSIENT", `${message}${last}`, { store: store.name, cause });
  }

  #fail(error: unknown): void {
    if (this.failed || this.#closed) return;
    this.failed = true;
    this.#abandon();
    // An interruption is not a failure of this store, unless the primary is complete.
    if (this.#options.signal.aborted && !this.#primaryComplete) return;
    this.#options.onSecondaryFailed(error);
  }

  /** Releases the queued parts at once. */
  #abandon(): void {
    this.#stop.abort();
    const aborts = [...this.#open].map((file) => this.#abort(file));
    this.#aborting = Promise.all([this.#aborting, ...aborts]).then(() => {});
  }

  /** Waits for a limited time, since the store may hang. `snapshot prune-incomplete` removes what is left. */
  async #abort(file: LaggingSender): Promise<void> {
    this.#open.delete(file);
    await this.#inTime(file.abort(), MAX_ABORT_MS, QUIET_MS);
  }

  /** False if `work` takes longer than `maxMs`, or the store is silent for longer than `silentMs`. */
  async #inTime(work: Promise<void>, maxMs: number, silentMs: number): Promise<boolean> {
    const begun = performance.now();
    const watch = new AbortController();
    const timeout = async () => {
      while (performance.now() - begun < maxMs) {
        await sleep(POLL_MS, undefined, { signal: watch.signal });
        if (this.#destination.store.silentMs > silentMs) break;
      }
      return false;
    };
    try {
      return await Promise.race([work.then(() => true), timeout()]);
    } finally {
      watch.abort();
    }
  }
}
