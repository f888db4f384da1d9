import { InterruptedError } from "../../../errors.js";
import { sleep } from "../../../flow/sleep.js";
import { type ClusterState, EtcdConnection } from "../connection.js";
import { EtcdError } from "../errors.js";
import type { EtcdChange, EtcdRevision } from "../history.js";
import { readStatus } from "../member.js";
import type { EtcdOptions } from "../options.js";
import { findCompactRevision, isCompacted } from "./compact-revision.js";
import { EarlierRevisions } from "./earlier-revisions.js";
import { FailureCounts } from "./failure-counts.js";
import { HistoryGuard } from "./history-guard.js";
import { LeaseNames } from "./lease-names.js";
import { MemberWatch } from "./member-watch.js";
import { ProgressJudge, WATCH_LIMITS, type WatchLimits } from "./progress-judge.js";
import type { RevisionGroup } from "./revision-groups.js";
import { WatchEnded } from "./watch-ended.js";

export interface WatchSink {
  /**
   * Takes whole revisions, each the last one plus 1. While it is pending nothing more is read: what comes later waits
   * in etcd. Its errors end the watch.
   */
  revisions(batch: readonly EtcdRevision[]): Promise<void>;
}

export interface RevisionWatchOptions {
  /** The last revision of the log to continue. */
  readonly after: number;
  /** A digest of the changes of revision `after`, for the proof that etcd still has the same history. */
  readonly overlap?:
    | {
        readonly digest: Uint8Array;
        readonly digestOf: (changes: readonly EtcdChange[]) => Uint8Array;
      }
    | undefined;
  /** Of the log, hexadecimal. */
  readonly clusterId?: string | undefined;
  /** Called with failures that are tried again. */
  readonly onProblem?: ((error: EtcdError | WatchEnded) => void) | undefined;
  readonly limits?: Partial<WatchLimits> | undefined;
}

/** Longest pause before the next endpoint is tried, ms. */
const MAX_PAUSE_MS = 2_000;
const FIRST_PAUSE_MS = 50;
/** The consumer holds the watch up when it takes longer, ms. */
const HELD_MS = 100;
/** How often the same is seen before it counts: an endpoint may be wrong once. */
const TRIES = 2;
/** Failures in a row, by which no watch is possible while etcd answers other calls. */
const MAX_FAILURES = 20;

/**
 * The changes of all keys, revision by revision, with none left out, whichever member of the cluster sends them. Where
 * that cannot be, the watch ends, and says why.
 */
export class RevisionWatch {
  readonly #etcd: EtcdOptions;
  readonly #options: RevisionWatchOptions;
  readonly #limits: WatchLimits;
  readonly #signal: AbortSignal;
  /** For all calls but the watch itself, which has a connection to one member at a time. */
  readonly #connection: EtcdConnection;
  readonly #guard: HistoryGuard;
  readonly #earlier: EarlierRevisions;
  readonly #leases: LeaseNames;
  #covered: number;
  #overlapProven = false;
  #compactRevision = 0;
  #endpoint: string | undefined;
  #seenMs = 0;
  /** Since when the consumer has a batch. */
  #heldSince: number | undefined;
  #wasHeld = false;
  /** Since the last progress. */
  readonly #failures = new FailureCounts();

  private constructor(
    connection: EtcdConnection,
    guard: HistoryGuard,
    etcd: EtcdOptions,
    options: RevisionWatchOptions,
    signal: AbortSignal,
  ) {
    this.#connection = connection;
    this.#guard = guard;
    this.#etcd = etcd;
    this.#options = options;
    this.#signal = signal;
    this.#limits = { ...WATCH_LIMITS, ...options.limits };
    this.#covered = options.after;
    const { overlap, after } = options;
    this.#earlier = new EarlierRevisions(overlap && { ...overlap, revision: after });
    this.#leases = new LeaseNames(connection);
  }

  /**
   * Connects. `close` must be called.
   *
   * @param signal ends the watch
   * @throws WatchEnded `restored` where etcd has not reached revision `after`, or is another cluster
   * @throws EtcdError, UsageError, InterruptedError
   */
  static async open(
    etcd: EtcdOptions,
    options: RevisionWatchOptions,
    signal: AbortSignal,
  ): Promise<RevisionWatch> {
    const connection = await EtcdConnection.open(etcd, signal);
    try {
      const { after, clusterId } = options;
      const id = clusterId === undefined ? undefined : BigInt(`0x${clusterId}`);
      const guard = new HistoryGuard(after, id);
      guard.check(await connection.state(signal), guard.reached);
      return new RevisionWatch(connection, guard, etcd, options, signal);
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** All changes up to this revision were handed over. */
  get covered(): number {
    return this.#covered;
  }

  /** Whether etcd has sent revision `after` again, with the changes of which the digest was given. */
  get overlapProven(): boolean {
    return this.#overlapProven;
  }

  /** `host:port` of the member that is watched. */
  get endpoint(): string | undefined {
    return this.#endpoint;
  }

  /** Hexadecimal, as etcd prints it. */
  get clusterId(): string {
    return this.#connection.clusterId;
  }

  /**
   * The latest revision of etcd, by a linearizable read.
   *
   * @throws WatchEnded `restored`, EtcdError, InterruptedError
   */
  async currentRevision(signal: AbortSignal): Promise<number> {
    const before = this.#guard.reached;
    const state = await this.#state(signal);
    this.#guard.check(state, before);
    return state.revision;
  }

  /** 0 when nothing was compacted. */
  async compactRevision(signal: AbortSignal): Promise<number> {
    const found = await findCompactRevision(this.#connection, this.#compactRevision, signal);
    this.#compactRevision = Math.max(found, this.#compactRevision);
    return this.#compactRevision;
  }

  /** Later revisions name each lease again, as a new stream of the log needs it. */
  forgetLeases(): void {
    this.#leases.forget();
  }

  /**
   * Hands revisions over until the watch ends. Failures that can pass are tried again at the next endpoint.
   *
   * @throws WatchEnded, InterruptedError, and any error of the sink
   */
  async run(sink: WatchSink): Promise<never> {
    const { endpoints } = this.#etcd;
    for (let turn = 0; ; turn++) {
      const before = this.#covered;
      try {
        await this.#watch(endpoints[turn % endpoints.length] ?? "", sink);
      } catch (error) {
        if (error instanceof SinkFailure) throw error.cause;
        if (this.#signal.aborted) throw new InterruptedError();
        if (this.#covered > before) this.#failures.clear();
        this.#options.onProblem?.(await this.#temporary(error));
        const round = Math.floor((this.#failures.all - 1) / endpoints.length);
        await sleep(Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** round), this.#signal);
      } finally {
        this.#endpoint = undefined;
      }
    }
  }

  close(): void {
    this.#connection.close();
  }

  async #watch(endpoint: string, sink: WatchSink): Promise<never> {
    const stop = new AbortController();
    const abort = (): void => stop.abort();
    this.#signal.addEventListener("abort", abort, { once: true });
    if (this.#signal.aborted) abort();
    let connection: EtcdConnection | undefined;
    let proof: Promise<void> | undefined;
    try {
      connection = await EtcdConnection.open(
        { ...this.#etcd, endpoints: [endpoint] },
        this.#signal,
      );
      await this.#checkMember(connection);
      this.#endpoint = connection.endpoint;
      const watch = new Watching();
      const member = new MemberWatch(this.#log(sink, watch, stop.signal), connection);
      proof = this.#prove(watch, stop);
      return await member.run(stop.signal);
    } catch (error) {
      if (error instanceof SinkFailure) throw error;
      // The proof has stopped the watch.
      throw stop.signal.reason instanceof WatchEnded ? stop.signal.reason : error;
    } finally {
      this.#signal.removeEventListener("abort", abort);
      stop.abort();
      await proof;
      connection?.close();
    }
  }

  /** The member is one of the cluster, has its history, and not too much of it is missing. */
  async #checkMember(connection: EtcdConnection): Promise<void> {
    const signal = this.#signal;
    const before = this.#guard.reached;
    const state = await connection.state(signal);
    const { raftIndex } = await readStatus(connection, signal);
    if (!this.#guard.isCluster(state.clusterId)) {
      const id = state.clusterId.toString(16);
      throw new EtcdError(
        "ETCD_MIXED_CLUSTERS",
        `etcd ${connection.endpoint} is of cluster ${id}, not ${this.clusterId}`,
        { endpoint: connection.endpoint, operation: "connect" },
      );
    }
    this.#guard.check(state, before, raftIndex);
    const missing = state.revision - this.#covered;
    if (missing > this.#limits.farBehind) throw farBehind(missing);
  }

  #log(sink: WatchSink, watch: Watching, signal: AbortSignal) {
    const { earlier, covered } = { earlier: this.#earlier, covered: this.#covered };
    return {
      covered,
      earlier,
      onCreated: () => {
        watch.created = true;
        this.#failures.forget("denied");
      },
      onOverlap: () => {
        if (covered === this.#options.after) this.#overlapProven = true;
      },
      deliver: (groups: readonly RevisionGroup[]) => this.#deliver(groups, sink, signal),
      checkCluster: (id: bigint) => this.#guard.checkCluster(id),
      isCompacted: (revision: number) => isCompacted(this.#connection, revision, signal),
      compactRevision: () => this.compactRevision(signal),
    };
  }

  async #deliver(
    groups: readonly RevisionGroup[],
    sink: WatchSink,
    signal: AbortSignal,
  ): Promise<void> {
    // A clock that is set back does not make time go back in the log.
    this.#seenMs = Math.max(this.#seenMs, Date.now());
    const batch = await this.#leases.addTo(groups, this.#seenMs, signal);
    const begun = performance.now();
    this.#heldSince = begun;
    try {
      await sink.revisions(batch);
    } catch (cause) {
      throw new SinkFailure(cause);
    } finally {
      this.#heldSince = undefined;
      if (performance.now() - begun > HELD_MS) this.#wasHeld = true;
    }
    const last = groups.at(-1);
    if (last === undefined) return;
    this.#covered = last.revision;
    this.#guard.sawRevision(last.revision);
  }

  /** Compares the watch with linearizable reads until it is stopped, and stops it when it is stuck. */
  async #prove(watch: Watching, stop: AbortController): Promise<void> {
    const judge = new ProgressJudge(this.#limits);
    const { signal } = stop;
    while (!signal.aborted) {
      try {
        await sleep(this.#limits.checkMs, signal);
        const current = await this.currentRevision(signal);
        const paused = this.#wasHeld || this.#heldSince !== undefined;
        this.#wasHeld = false;
        const covered = watch.created ? this.#covered : Math.min(this.#covered, current - 1);
        const verdict = judge.judge({ nowMs: performance.now(), covered, current, paused });
        if (verdict === "far-behind") stop.abort(farBehind(current - this.#covered));
        if (verdict === "stuck") stop.abort(stuck(this.#covered, current));
      } catch (error) {
        if (error instanceof WatchEnded) stop.abort(error);
        else if (error instanceof EtcdError && !signal.aborted) this.#options.onProblem?.(error);
      }
    }
  }

  /** Returns the error if another try may help, and throws it otherwise. */
  async #temporary(error: unknown): Promise<EtcdError | WatchEnded> {
    const { length } = this.#etcd.endpoints;
    if (error instanceof WatchEnded) {
      const { reason } = error;
      const seen = this.#failures.add(reason);
      if (reason === "hole" && seen < TRIES) return error;
      if (reason === "stuck" && seen < Math.max(TRIES, length)) return error;
      throw error;
    }
    if (!(error instanceof EtcdError)) throw error;
    if (error.code === "ETCD_AUTH" && this.#failures.add("denied") >= TRIES) {
      throw new WatchEnded("denied", "the user may not watch all keys", {
        cause: error,
        hint: "the user needs a role that reads all keys",
        settings: ["user"],
      });
    }
    this.#failures.add("call");
    // One endpoint may be of another cluster by mistake: then the others still have the history.
    if (error.code === "ETCD_MIXED_CLUSTERS" || this.#failures.all >= MAX_FAILURES) {
      await this.#checkNeed(error);
    }
    return error;
  }

  /** Throws when the log cannot go on although etcd answers. */
  async #checkNeed(error: EtcdError): Promise<void> {
    try {
      const current = await this.currentRevision(this.#signal);
      if (this.#failures.all >= MAX_FAILURES && current > this.#covered) {
        throw stuck(this.#covered, current, error);
      }
    } catch (failure) {
      if (!(failure instanceof EtcdError)) throw failure;
    }
  }

  async #state(signal: AbortSignal): Promise<ClusterState> {
    try {
      return await this.#connection.state(signal);
    } catch (error) {
      if (!(error instanceof EtcdError) || error.code !== "ETCD_MIXED_CLUSTERS") throw error;
      throw new WatchEnded("restored", "it is another cluster now", { cause: error });
    }
  }
}

/** The state of the watch at one member. */
class Watching {
  created = false;
}

/** An error of the consumer, which is no failure of etcd. */
class SinkFailure extends Error {
  constructor(cause: unknown) {
    super("the consumer of a watch failed", { cause });
  }
}

function farBehind(missing: number): WatchEnded {
  return new WatchEnded("far-behind", `${missing} revisions are missing, too many for a watch`);
}

function stuck(covered: number, current: number, cause?: EtcdError): WatchEnded {
  const message = `etcd is at revision ${current} and sends nothing after ${covered}`;
  return new WatchEnded("stuck", message, { cause });
}
