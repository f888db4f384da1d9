import type { EtcdChange, EtcdRevision } from "../../sources/etcd/history.js";
import type { QueueFile } from "./batch-file.js";
import type { HistoryWatch, NewestWatch } from "./history-watch.js";
import { RevisionQueue } from "./revision-queue.js";

interface HeldParts {
  openNewest(signal: AbortSignal): Promise<NewestWatch>;
  digestOf(changes: readonly EtcdChange[]): Uint8Array;
  memoryBytes(): number;
  openFile(): Promise<QueueFile>;
  /** All revisions up to this one have come. */
  arrived(revision: number): void;
}

/**
 * Watches etcd while a base is made, and holds what comes until the base is stored: etcd may not be able to send later what was
 * written meanwhile, since it reads all that a watch is behind for each part that it sends. So the watch is not paused before
 * the reader has caught up with it.
 */
export class HeldWatch {
  readonly #watch: HistoryWatch;
  readonly #digestOf: HeldParts["digestOf"];
  readonly #queue: RevisionQueue;
  readonly #stopped: AbortController;
  readonly #running: Promise<void>;
  readonly #after: number;
  #last: number;

  private constructor({ watch, after }: NewestWatch, stopped: AbortController, parts: HeldParts) {
    this.#watch = watch;
    this.#after = after;
    this.#last = after;
    this.#stopped = stopped;
    this.#digestOf = parts.digestOf;
    this.#queue = new RevisionQueue(parts);
    const sink = {
      revisions: async (batch: readonly EtcdRevision[]) => {
        this.#last = batch.at(-1)?.revision ?? this.#last;
        parts.arrived(this.#last);
        await this.#queue.push(batch, stopped.signal);
      },
    };
    this.#running = watch.run(sink).catch((error: unknown) => this.#queue.end(error));
  }

  /** Begins to watch. Throws what `openNewest` throws. */
  static async begin(parts: HeldParts, signal: AbortSignal): Promise<HeldWatch> {
    const stopped = new AbortController();
    const stop = (): void => stopped.abort();
    signal.addEventListener("abort", stop, { once: true });
    stopped.signal.addEventListener("abort", () => signal.removeEventListener("abort", stop));
    if (signal.aborted) stop();
    try {
      return new HeldWatch(await parts.openNewest(stopped.signal), stopped, parts);
    } catch (error) {
      stop();
      throw error;
    }
  }

  /** All revisions up to this one have come. */
  get last(): number {
    return this.#last;
  }

  /**
   * The watch of what comes after a base. Undefined where it has not shown that the base is of the same history; it is closed
   * then.
   *
   * @param digest of the changes of its revision. Where that is compacted nothing can be compared, and the base is of the same
   *   history since this watch ran before it was made, and still does.
   */
  async after(
    { revision, digest, clusterId }: AfterBase,
    signal: AbortSignal,
  ): Promise<HistoryWatch | undefined> {
    const [watch, queue] = [this.#watch, this.#queue];
    const later =
      clusterId === watch.clusterId ? await this.#laterThan(revision, digest, signal) : undefined;
    if (later === undefined) {
      this.close();
      return undefined;
    }
    // As any other watch, it is paused where its reader is slow, but not before all that has waited for the base is taken.
    queue.catchUp();
    return {
      clusterId: watch.clusterId,
      isStartProven: digest !== undefined,
      run: async (sink) => {
        if (later.length > 0) await sink.revisions(later);
        for (;;) {
          const batch = await queue.next(signal);
          const rest = batch.filter((one) => one.revision > revision);
          if (rest.length > 0) await sink.revisions(rest);
        }
      },
      currentRevision: (inner) => watch.currentRevision(inner),
      compactRevision: (inner) => watch.compactRevision(inner),
      forgetLeases: () => watch.forgetLeases(),
      close: () => this.close(),
    };
  }

  /** To be called when no `run` and no `after` is pending. */
  close(): void {
    this.#stopped.abort();
    this.#watch.close();
    void this.#running.then(() => this.#queue.close()).catch(() => {});
  }

  /** Drops what is at or before a revision. Resolves with what has come together with it, if it has these changes. */
  async #laterThan(
    revision: number,
    digest: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<readonly EtcdRevision[] | undefined> {
    if (digest === undefined) return revision < this.#after ? undefined : [];
    // A revision that cannot come must not be waited for.
    if (revision <= this.#after) return undefined;
    try {
      for (;;) {
        const batch = await this.#queue.next(signal);
        if ((batch[0]?.revision ?? 0) > revision) return undefined;
        const at = batch.findIndex((one) => one.revision === revision);
        const changes = batch[at]?.changes;
        if (changes === undefined) continue;
        const isSame = Buffer.compare(this.#digestOf(changes), digest) === 0;
        return isSame ? batch.slice(at + 1) : undefined;
      }
    } catch {
      return undefined;
    }
  }
}

/** A base, or another end of the log. */
interface AfterBase {
  readonly revision: number;
  readonly digest: Uint8Array | undefined;
  readonly clusterId: string | undefined;
}
