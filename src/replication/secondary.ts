import { setTimeout as sleep } from "node:timers/promises";
import type { FileDigest } from "../archive/file-thread.js";
import { StoreError } from "../snapstore/errors.js";
import type { Part } from "../snapstore/part.js";
import { PartSender } from "../snapstore/upload.js";
import type { Destination } from "./destination.js";
import { LaggingSender, Liveliness } from "./lagging-sender.js";
import { misfit } from "./stored-files.js";

/** Once the primary is complete, the secondary is waited for while it gets anywhere: never longer than this. */
const MOST_WAIT_MS = 60_000;
/** And not at all once nothing has succeeded for so long. */
const SILENT_MS = 5_000;
const LOOK_EVERY_MS = 100;

/** One file on its way to the secondary. None of these calls throws. */
export interface SecondaryFile {
  /** Takes the part over. */
  offer(part: Part): void;
  finish(last: Part, digest: FileDigest): void;
  abort(): Promise<void>;
}

interface SecondaryOptions {
  readonly signal: AbortSignal;
  /** Told once, when the secondary is given up. */
  onSecondaryFailed(error: unknown): void;
}

/**
 * The second store of a new backup. Whatever goes wrong with it is told once and ends the sending to it; the
 * primary never waits for it but at the very end.
 */
export class Secondary {
  readonly #destination: Destination;
  readonly #options: SecondaryOptions;
  readonly #liveliness: Liveliness;
  readonly #stop = new AbortController();
  readonly #open = new Set<LaggingSender>();
  readonly #finishing = new Set<Promise<void>>();
  failed = false;

  constructor(destination: Destination, options: SecondaryOptions) {
    this.#destination = destination;
    this.#options = options;
    this.#liveliness = new Liveliness(destination.store);
  }

  /** Starts a file; undefined once the secondary is given up. */
  open(key: string, partBytes: number): SecondaryFile | undefined {
    if (this.failed) return undefined;
    const { store } = this.#liveliness;
    const sender = new PartSender(store, key, partBytes, {
      parallel: this.#destination.maxParallelChunks,
      ifAbsent: true,
      signal: this.#signal,
    });
    const writer = new LaggingSender(store, sender);
    this.#open.add(writer);
    return {
      offer: (part) => {
        if (this.failed) return part.release();
        try {
          writer.offer(part);
        } catch (error) {
          this.#fail(error);
        }
      },
      finish: (last, digest) => {
        if (this.failed) return last.release();
        const finishing = this.#finishFile(writer, key, last, digest)
          .catch((error) => this.#fail(error))
          .finally(() => this.#finishing.delete(finishing));
        this.#finishing.add(finishing);
      },
      abort: () => this.#abort(writer),
    };
  }

  /** Waits for what is under way, and then makes the backup whole there too. */
  async finish(manifestKey: string, manifest: Uint8Array): Promise<void> {
    const begun = performance.now();
    const ended = async () => {
      await Promise.all(this.#finishing);
      if (this.failed) return;
      const options = { ifAbsent: true, signal: this.#signal };
      await this.#liveliness.store.put(manifestKey, manifest, options);
    };
    const watch = new AbortController();
    const patience = async () => {
      while (performance.now() - begun < MOST_WAIT_MS) {
        await sleep(LOOK_EVERY_MS, undefined, { signal: watch.signal });
        if (this.#liveliness.silentMs > SILENT_MS) break;
      }
      throw new StoreError("STORE_TRANSIENT", "it was still behind when the primary was complete", {
        store: this.#destination.store.name,
      });
    };
    try {
      await Promise.race([ended(), patience()]);
    } catch (error) {
      this.#fail(error);
    } finally {
      watch.abort();
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all([...this.#open].map((writer) => this.#abort(writer)));
  }

  get #signal(): AbortSignal {
    return AbortSignal.any([this.#options.signal, this.#stop.signal]);
  }

  async #finishFile(
    writer: LaggingSender,
    key: string,
    last: Part,
    digest: FileDigest,
  ): Promise<void> {
    await writer.finish(last, digest.sha256);
    const { store } = this.#liveliness;
    const reason = misfit({ name: key, ...digest }, await store.head(key, this.#signal));
    if (reason !== undefined) {
      throw new StoreError("STORE_FAILED", `${key}: after it was sent, ${reason}`, {
        store: store.name,
      });
    }
    this.#open.delete(writer);
  }

  #fail(error: unknown): void {
    if (this.failed) return;
    this.failed = true;
    this.#stop.abort();
    if (!this.#options.signal.aborted) this.#options.onSecondaryFailed(error);
  }

  /** A store that does not answer must not hold up who gives up. */
  async #abort(writer: LaggingSender): Promise<void> {
    this.#open.delete(writer);
    const watch = new AbortController();
    await Promise.race([
      writer.abort(),
      sleep(SILENT_MS, undefined, { signal: watch.signal }).catch(() => {}),
    ]);
    watch.abort();
  }
}
