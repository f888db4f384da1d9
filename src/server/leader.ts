import { createHash } from "node:crypto";
import { InterruptedError, NotLeaderError, errorMessage } from "../errors.js";
import { sleep } from "../flow/sleep.js";
import type { LeaderOptions } from "../settings/server-options.js";
import { StoreError } from "../snapstore/errors.js";
import type { SnapStore } from "../snapstore/store.js";
import { everyGuard, GuardedStore, type WriteGuard } from "../snapstore/layers/guarded.js";
import { type StoreEpoch, takeEpoch } from "../snapshots/control/epochs.js";
import { Election, type Leadership } from "../sources/etcd/election.js";
import type { Log } from "./log.js";
import type { LeaderStatus } from "./status.js";

/** Wait before etcd or the store is asked again after a failure, ms. */
const RETRY_MS = 5_000;
/** Added to two TTLs, after which a leader is taken to lead, ms. */
const SETTLED_MS = 30_000;
/** Time between two looks at who leads, ms. */
const LOOK_MS = 5_000;

/** How a leader follows what the store says about its epoch. */
export interface EpochTimes {
  /** Time between two looks at the store, ms. Writes look by themselves. */
  readonly lookMs: number;
  /** Pause after another leader has begun a later epoch, ms: two that take turns must not do so all the time. */
  readonly restMs: number;
}

const EPOCH_TIMES: EpochTimes = { lookMs: 60_000, restMs: 90_000 };

/** What this server holds while it leads. */
export interface Lead {
  readonly guard: WriteGuard;
  /** Aborts when the leadership is lost. */
  readonly lost: AbortSignal;
}

/** Whether this server leads, and who does. */
export interface Leader {
  readonly lead: Lead | undefined;
  /** Whether the leader has been the same for so long that it does lead: a candidate has the key for a while before. */
  readonly isSettled: boolean;
  status(): LeaderStatus;
  /** Resolves once the signal has aborted, and the leadership is given back. */
  run(signal: AbortSignal): Promise<void>;
}

/** A server that is the only one for its store. */
export const SOLE_LEADER: Leader = {
  lead: {
    guard: { check: () => {}, confirm: async () => {} },
    lost: new AbortController().signal,
  },
  isSettled: true,
  status: () => ({ election: false, isLeader: true }),
  run: async () => {},
};

/** Of this server. */
interface Identity {
  /** Unique to this process. */
  readonly name: string;
  /** Of its HTTP server. */
  readonly url: string;
}

/** Permits what the leadership of the moment permits, for stores that stay open across terms. */
export function dutyGuard(leader: Leader): WriteGuard {
  const guard = (): WriteGuard => {
    const { lead } = leader;
    if (lead === undefined) throw new NotLeaderError("this server does not lead");
    return lead.guard;
  };
  return {
    check: () => guard().check(),
    confirm: async (signal) => guard().confirm(signal),
  };
}

/** Takes part in the election until it is stopped. */
export class LeaderLoop implements Leader {
  readonly #options: LeaderOptions;
  readonly #identity: () => Identity;
  readonly #primary: () => SnapStore;
  readonly #log: Log;
  readonly #changed: () => void;
  readonly #epochTimes: EpochTimes;
  #lead: Lead | undefined;
  #current: LeaderStatus["current"];
  /** Since when it is known, by the monotonic clock, ms. */
  #currentMs = 0;

  constructor(
    options: LeaderOptions,
    identity: () => Identity,
    { log, changed, primary }: { readonly log: Log; changed(): void; primary(): SnapStore },
    epochTimes = EPOCH_TIMES,
  ) {
    this.#options = options;
    this.#identity = identity;
    this.#primary = primary;
    this.#log = log;
    this.#changed = changed;
    this.#epochTimes = epochTimes;
  }

  /** Undefined while another server leads, or none. */
  get lead(): Lead | undefined {
    return this.#lead?.lost.aborted ? undefined : this.#lead;
  }

  get isSettled(): boolean {
    const knownMs = performance.now() - this.#currentMs;
    return this.#current !== undefined && knownMs > 2 * this.#options.ttlMs + SETTLED_MS;
  }

  status(): LeaderStatus {
    return {
      election: true,
      isLeader: this.lead !== undefined,
      identity: this.#identity().name,
      ...(this.#current !== undefined && { current: this.#current }),
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#takePart(signal);
      } catch (error) {
        if (signal.aborted || error instanceof InterruptedError) continue;
        const why = errorMessage(error);
        this.#log.warn({ reason: why }, "No leadership: trying again");
        this.#setCurrent(undefined);
        await sleep(RETRY_MS, signal).catch(() => {});
      }
    }
  }

  /** One connection to etcd: its files are read again after each failure. */
  async #takePart(signal: AbortSignal): Promise<void> {
    const { etcd, ttlMs } = this.#options;
    const key = this.#options.key ?? leaderKey(this.#primary().place);
    const { name: identity, url } = this.#identity();
    const onProblem = ({ message }: Error): void => {
      this.#log.warn({ reason: message }, "etcd does not answer: trying again");
    };
    const election = await Election.open(etcd, { key, identity, url, ttlMs, onProblem }, signal);
    const stop = new AbortController();
    const looking = this.#look(election, AbortSignal.any([signal, stop.signal]));
    try {
      const leadership = await election.campaign(signal);
      const isOver = await this.#leadUntilLost(leadership, identity, signal);
      if (isOver && !signal.aborted) {
        // Another server may lead meanwhile.
        await election.resign();
        await sleep(this.#epochTimes.restMs, signal).catch(() => {});
      }
    } finally {
      stop.abort();
      await looking;
      await election.resign();
      election.close();
    }
  }

  /** Resolves with whether the store has ended the epoch. */
  async #leadUntilLost(
    leadership: Leadership,
    identity: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    const store = new GuardedStore(this.#primary(), leadership);
    const epoch = await takeEpoch(store, identity, AbortSignal.any([signal, leadership.lost]));
    const lost = AbortSignal.any([leadership.lost, epoch.lost]);
    this.#lead = { lost, guard: everyGuard(leadership, epoch) };
    this.#changed();
    this.#log.info({ epoch: epoch.number, identity }, "This server leads");
    try {
      await this.#watchEpoch(epoch, AbortSignal.any([signal, lost]));
    } finally {
      this.#lead = undefined;
      this.#changed();
    }
    if (!signal.aborted) {
      const why: unknown = lost.reason;
      const reason = why instanceof Error ? why.message : undefined;
      this.#log.warn({ reason }, "This server no longer leads");
    }
    return epoch.lost.aborted;
  }

  /** Looks at the epoch until the signal aborts, also while nothing is written. */
  async #watchEpoch(epoch: StoreEpoch, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await sleep(this.#epochTimes.lookMs, signal);
        await epoch.look(signal);
      } catch (error) {
        // A store that does not answer says nothing about the epoch.
        const isKnown = error instanceof StoreError || error instanceof InterruptedError;
        if (!isKnown && !(error instanceof NotLeaderError)) throw error;
      }
    }
  }

  /** Keeps up with who leads, for answers of a follower. */
  async #look(election: Election, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const found = await election.current(signal);
        // Before it leads, a new leader waits for the one before to end.
        const isNext = found?.identity === this.#identity().name && this.#lead === undefined;
        this.#setCurrent(isNext ? undefined : found);
      } catch {
        // The campaign reports that etcd does not answer.
        this.#setCurrent(undefined);
      }
      await sleep(LOOK_MS, signal).catch(() => {});
    }
  }

  #setCurrent(current: LeaderStatus["current"]): void {
    if (current?.identity === this.#current?.identity && current?.url === this.#current?.url) {
      return;
    }
    this.#current = current;
    this.#currentMs = performance.now();
    this.#changed();
  }
}

/** Servers for one store elect one leader; those for other stores have others. */
export function leaderKey(place: string): string {
  const digest = createHash("sha256").update(place).digest("hex");
  return `/backuptool/leader/${digest.slice(0, 16)}`;
}
