import { InterruptedError } from "../../../errors.js";
import { sleep } from "../../../flow/sleep.js";
import { type ClusterState, EtcdConnection } from "../connection.js";
import { EtcdError, mixedClusters } from "../errors.js";
import type { EtcdChange } from "../history.js";
import { readStatus } from "../member.js";
import type { EtcdOptions } from "../options.js";
import { findCompactRevision, isCompacted } from "./compact-revision.js";
import { EarlierRevisions } from "./earlier-revisions.js";
import { HandOver, SinkFailure, type WatchSink } from "./hand-over.js";
import { HistoryGuard } from "./history-guard.js";
import { LeaseNames } from "./lease-names.js";
import { MemberWatch, type WatchedLog } from "./member-watch.js";
import { ProgressJudge, WATCH_LIMITS, type WatchLimits } from "./progress-judge.js";
import type { RevisionGroup } from "./revision-groups.js";
import { WatchEnded } from "./watch-ended.js";
import { WatchRetries } from "./watch-retries.js";

export type { WatchSink } from "./hand-over.js";

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
  readonly #retries: WatchRetries;
  #handOver: HandOver | undefined;
  #overlapProven = false;
  #compactRevision = 0;
  #endpoint: string | undefined;
  /**
   * Whether etcd divides large answers. It takes the square of their changes for that: a minute for a deletion of
   * 200,000 keys, which it sends at once in one piece.
   */
  #fragment = true;

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
    const { overlap, after } = options;
    this.#earlier = new EarlierRevisions(overlap && { ...overlap, revision: after });
    this.#leases = new LeaseNames(connection);
    this.#retries = new WatchRetries(etcd.endpoints.length, async () => {
      const current = await this.currentRevision(signal);
      return current > this.covered ? stuck(this.covered, current) : undefined;
    });
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
    return this.#handOver?.covered ?? this.#options.after;
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
   * Hands revisions over until the watch ends; to be called once. Failures that can pass are tried again at the next
   * endpoint.
   *
   * @throws WatchEnded, InterruptedError, and any error of the sink
   */
  async run(sink: WatchSink): Promise<never> {
    const { endpoints } = this.#etcd;
    const handOver = new HandOver(sink, this.#leases, this.covered);
    this.#handOver = handOver;
    for (let turn = 0; ; turn++) {
      const before = this.covered;
      try {
        await this.#watch(endpoints[turn % endpoints.length] ?? "", handOver);
      } catch (error) {
        if (error instanceof SinkFailure) throw error.cause;
        if (this.#signal.aborted) throw new InterruptedError();
        if (this.covered > before) this.#retries.progressed();
        this.#options.onProblem?.(await this.#retries.judge(error));
        this.#fragment = !(
          this.#fragment &&
          error instanceof WatchEnded &&
          error.reason === "stuck"
        );
        await sleep(this.#retries.pauseMs, this.#signal);
      } finally {
        this.#endpoint = undefined;
      }
    }
  }

  close(): void {
    this.#connection.close();
  }

  async #watch(endpoint: string, handOver: HandOver): Promise<never> {
    const stop = new AbortController();
    const abort = (): void => stop.abort();
    this.#signal.addEventListener("abort", abort, { once: true });
    if (this.#signal.aborted) abort();
    let connection: EtcdConnection | undefined;
    let proof: Promise<void> | undefined;
    try {
      const only = { ...this.#etcd, endpoints: [endpoint] };
      connection = await EtcdConnection.open(only, this.#signal);
      await this.#checkMember(connection);
      this.#endpoint = connection.endpoint;
      const state = { isAccepted: false, hasMoved: false };
      const log = this.#log(handOver, state, stop.signal);
      proof = this.#prove(handOver, state, stop);
      return await new MemberWatch(log, connection, this.#fragment).run(stop.signal);
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
    const { endpoint } = connection;
    const before = this.#guard.reached;
    const state = await connection.state(this.#signal);
    const { raftIndex } = await readStatus(connection, this.#signal);
    if (!this.#guard.isCluster(state.clusterId)) {
      throw mixedClusters(endpoint, state.clusterId, this.clusterId);
    }
    this.#guard.check(state, before, raftIndex);
    const missing = state.revision - this.covered;
    if (missing > this.#limits.farBehind) throw farBehind(missing);
  }

  #log(handOver: HandOver, state: MemberState, signal: AbortSignal): WatchedLog {
    const { covered } = handOver;
    return {
      covered,
      earlier: this.#earlier,
      onCreated: () => {
        state.isAccepted = true;
        this.#retries.accepted();
      },
      onFragment: () => {
        state.hasMoved = true;
      },
      onOverlap: () => {
        if (covered === this.#options.after) this.#overlapProven = true;
      },
      deliver: async (groups: readonly RevisionGroup[]) => {
        await handOver.deliver(groups, signal);
        this.#guard.sawRevision(handOver.covered);
      },
      checkCluster: (id) => this.#guard.checkCluster(id),
      isCompacted: (revision) => isCompacted(this.#connection, revision, signal),
      compactRevision: () => this.compactRevision(signal),
    };
  }

  /** Compares the watch with linearizable reads until it is stopped, and stops it when it is stuck. */
  async #prove(handOver: HandOver, state: MemberState, stop: AbortController): Promise<void> {
    const judge = new ProgressJudge(this.#limits);
    const { signal } = stop;
    while (!signal.aborted) {
      try {
        await sleep(this.#limits.checkMs, signal);
        const current = await this.currentRevision(signal);
        const paused = handOver.takeHeld() || state.hasMoved;
        state.hasMoved = false;
        const covered = state.isAccepted
          ? handOver.covered
          : Math.min(handOver.covered, current - 1);
        const verdict = judge.judge({ nowMs: performance.now(), covered, current, paused });
        if (verdict === "far-behind") stop.abort(farBehind(current - covered));
        if (verdict === "stuck") stop.abort(stuck(covered, current));
      } catch (error) {
        if (error instanceof WatchEnded) stop.abort(error);
        else if (error instanceof EtcdError && !signal.aborted) this.#options.onProblem?.(error);
      }
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

interface MemberState {
  /** Whether etcd has made the watch. */
  isAccepted: boolean;
  /** Whether a part of a revision has come since the last look. */
  hasMoved: boolean;
}

function farBehind(missing: number): WatchEnded {
  return new WatchEnded("far-behind", `${missing} revisions are missing, too many for a watch`);
}

function stuck(covered: number, current: number): WatchEnded {
  return new WatchEnded(
    "stuck",
    `etcd is at revision ${current} and sends nothing after ${covered}`,
  );
}
