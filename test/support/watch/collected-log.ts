import type { EtcdRevision } from "../../../src/sources/etcd/history.js";
import {
  RevisionWatch,
  type RevisionWatchOptions,
} from "../../../src/sources/etcd/watch/revision-watch.js";
import { WatchEnded } from "../../../src/sources/etcd/watch/watch-ended.js";
import type { EtcdOptions } from "../../../src/sources/etcd/options.js";

/** What a watch hands over, and how it ends. */
export class CollectedLog {
  readonly revisions: EtcdRevision[] = [];
  /** Messages of failures that were tried again. */
  readonly problems: readonly string[];
  readonly watch: RevisionWatch;
  readonly #stop: AbortController;
  /** What `run` ended with. */
  readonly ended: Promise<unknown>;
  /** Called before a batch is taken. */
  onBatch: (batch: readonly EtcdRevision[]) => Promise<void> = async () => {};

  private constructor(watch: RevisionWatch, stop: AbortController, problems: readonly string[]) {
    this.problems = problems;
    this.watch = watch;
    this.#stop = stop;
    const sink = {
      revisions: async (batch: readonly EtcdRevision[]) => {
        await this.onBatch(batch);
        this.revisions.push(...batch);
      },
    };
    this.ended = watch.run(sink).catch((error: unknown) => error);
    this.ended.then(() => watch.close());
  }

  static async start(
    etcd: EtcdOptions,
    options: Omit<RevisionWatchOptions, "onProblem">,
  ): Promise<CollectedLog> {
    const stop = new AbortController();
    const problems: string[] = [];
    const onProblem = (error: Error): void => {
      problems.push(error.message);
    };
    const watch = await RevisionWatch.open(etcd, { ...options, onProblem }, stop.signal);
    return new CollectedLog(watch, stop, problems);
  }

  /** Resolves when the watch has covered `revision`; fails when it ends before. */
  async until(revision: number): Promise<void> {
    let ended: unknown;
    void this.ended.then((error) => {
      ended = error;
    });
    const begun = performance.now();
    while (this.watch.covered < revision) {
      if (ended !== undefined) throw ended;
      if (performance.now() - begun > PATIENCE_MS) throw new Error(`never: ${revision}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Stops the watch. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.ended;
  }

  /** Resolves with what ended the watch. */
  async end(): Promise<WatchEnded> {
    const error = await this.ended;
    if (error instanceof WatchEnded) return error;
    throw error;
  }
}

const PATIENCE_MS = 120_000;
