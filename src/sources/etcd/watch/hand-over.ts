import type { EtcdRevision } from "../history.js";
import type { LeaseNames } from "./lease-names.js";
import type { RevisionGroup } from "./revision-groups.js";

export interface WatchSink {
  /**
   * Takes whole revisions, each the last one plus 1. While it is pending nothing more is read: what comes later waits
   * in etcd. Its errors end the watch.
   */
  revisions(batch: readonly EtcdRevision[]): Promise<void>;
}

/** An error of the sink, which is no failure of etcd. */
export class SinkFailure extends Error {
  constructor(cause: unknown) {
    super("the consumer of a watch failed", { cause });
  }
}

/** The sink holds the watch up when it takes longer, ms. */
const HELD_MS = 100;

/** Hands revisions over to the sink, and knows how far it has come. */
export class HandOver {
  readonly #sink: WatchSink;
  readonly #leases: LeaseNames;
  #covered: number;
  #seenMs = 0;
  #isPending = false;
  #wasHeld = false;

  /** @param covered the last revision that the sink has already */
  constructor(sink: WatchSink, leases: LeaseNames, covered: number) {
    this.#sink = sink;
    this.#leases = leases;
    this.#covered = covered;
  }

  /** All changes up to this revision were handed over. */
  get covered(): number {
    return this.#covered;
  }

  /** Whether the sink has held the watch up since the last call. */
  takeHeld(): boolean {
    const held = this.#isPending || this.#wasHeld;
    this.#wasHeld = false;
    return held;
  }

  /** @throws SinkFailure; EtcdError, InterruptedError where leases cannot be read */
  async deliver(groups: readonly RevisionGroup[], signal: AbortSignal): Promise<void> {
    // A clock that is set back does not make time go back in the log.
    this.#seenMs = Math.max(this.#seenMs, Date.now());
    const batch = await this.#leases.addTo(groups, this.#seenMs, signal);
    const begun = performance.now();
    this.#isPending = true;
    try {
      await this.#sink.revisions(batch);
    } catch (cause) {
      throw new SinkFailure(cause);
    } finally {
      this.#isPending = false;
      if (performance.now() - begun > HELD_MS) this.#wasHeld = true;
    }
    this.#covered = groups.at(-1)?.revision ?? this.#covered;
  }
}
