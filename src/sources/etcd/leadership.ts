import { InterruptedError, NotLeaderError, throwIfAborted } from "../../errors.js";
import { Moment } from "../../flow/moment.js";
import { raceAbort } from "../../flow/race-abort.js";
import { sleep } from "../../flow/sleep.js";
import { EtcdError } from "./errors.js";
import type { LeaderKey } from "./leader-key.js";

/**
 * Part of the TTL by which a leadership ends before its lease: for clocks of different speed, and for the time from a
 * check to what follows it.
 */
const MARGIN = 0.2;
/** Keepalives within one TTL: three of four may fail. */
const KEEP_ALIVES = 4;
/** Shortest time between two reads of the key for {@link Leadership.confirm}, ms. */
const CONFIRM_EVERY_MS = 1_000;
const RETRY_MS = 200;

/** The right of this process to write to the stores. Once lost, it is lost for good. */
export interface Leadership {
  /** Create revision of the key: no other leadership of this cluster has the same. */
  readonly term: bigint;
  /** Whether the lease still lives for sure, by the clocks of this machine. */
  held(): boolean;
  /** Throws NOT_LEADER unless {@link held}. */
  check(): void;
  /**
   * Throws NOT_LEADER unless etcd has the key as this process created it: a linearizable read, at most one a second.
   * While etcd does not answer, it is asked again until the leadership ends.
   */
  confirm(signal: AbortSignal): Promise<void>;
  /** Aborts when the leadership ends; the reason is the error. */
  readonly lost: AbortSignal;
}

export interface LeaseHold {
  readonly lease: bigint;
  readonly term: bigint;
  readonly ttlMs: number;
  /** Before the lease was granted. */
  readonly since: Moment;
  /** Called with failures that are tried again. */
  readonly onProblem: (error: EtcdError) => void;
}

/**
 * A leadership as long as keepalives of its lease are acknowledged. It ends by the clocks of this machine: at the time
 * at which the last acknowledged keepalive was sent plus the TTL less a margin. etcd counts from the arrival of the
 * keepalive, which is later, so the lease of a leadership that is held has not expired.
 */
export class LeaseLeadership implements Leadership {
  readonly term: bigint;
  readonly #key: LeaderKey;
  readonly #hold: LeaseHold;
  readonly #lost = new AbortController();
  /** When the last acknowledged keepalive was sent. */
  #sent: Moment;
  #timer: NodeJS.Timeout | undefined;
  #confirmed: Moment | undefined;
  #confirming: Promise<void> | undefined;

  constructor(key: LeaderKey, hold: LeaseHold) {
    this.term = hold.term;
    this.#key = key;
    this.#hold = hold;
    this.#sent = hold.since;
    this.#watchClock();
    void this.#keepAlive();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  held(): boolean {
    if (!this.#lost.signal.aborted && this.#leftMs() <= 0) {
      this.end("its lease in etcd was not renewed in time");
    }
    return !this.#lost.signal.aborted;
  }

  check(): void {
    if (!this.held()) throw this.#lost.signal.reason;
  }

  async confirm(signal: AbortSignal): Promise<void> {
    this.check();
    throwIfAborted(signal);
    if (this.#confirmed !== undefined && this.#confirmed.elapsedMs() < CONFIRM_EVERY_MS) return;
    this.#confirming ??= this.#confirm().finally(() => {
      this.#confirming = undefined;
    });
    await raceAbort(this.#confirming, signal);
    this.check();
  }

  /** Ends the leadership in this process; the key and the lease stay. */
  end(why: string): void {
    if (this.#lost.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#lost.abort(
      new NotLeaderError(`this process does not lead any more: ${why}`, {
        hint: "another one may lead now; nothing more was written",
      }),
    );
  }

  /** Ends the leadership, and lets another process begin at once. Never throws: otherwise the lease expires. */
  async resign(signal: AbortSignal): Promise<void> {
    this.end("it has resigned");
    try {
      await this.#key.deleteCreated(this.term, signal);
      await this.#key.revokeLease(this.#hold.lease, signal);
    } catch (error) {
      this.#report(error);
    }
  }

  #leftMs(): number {
    return this.#hold.ttlMs * (1 - MARGIN) - this.#sent.elapsedMs();
  }

  /** Ends the leadership in time, also without a call of `held`. */
  #watchClock(): void {
    clearTimeout(this.#timer);
    if (!this.held()) return;
    this.#timer = setTimeout(() => this.#watchClock(), Math.max(1, this.#leftMs())).unref();
  }

  async #keepAlive(): Promise<void> {
    const intervalMs = this.#hold.ttlMs / KEEP_ALIVES;
    let pauseMs = intervalMs;
    for (;;) {
      try {
        await sleep(pauseMs, this.lost);
        pauseMs = intervalMs;
        await this.#renew();
        await this.#readKey();
      } catch (error) {
        if (this.#lost.signal.aborted) return;
        if (!(error instanceof EtcdError)) return this.end(String(error));
        this.#report(error);
        pauseMs = Math.min(RETRY_MS, intervalMs);
      }
    }
  }

  async #renew(): Promise<void> {
    const sent = Moment.now();
    const alive = await this.#key.keepAlive(this.#hold.lease, this.lost);
    if (!this.held()) return;
    if (!alive) return this.end("etcd has ended its lease");
    this.#sent = sent;
    this.#watchClock();
  }

  /** The key may be gone before the lease: deleted by a person, or since etcd was restored to the past. */
  async #readKey(): Promise<void> {
    const asked = Moment.now();
    const found = await this.#key.read(this.lost);
    if (found?.createRevision !== this.term || found.lease !== this.#hold.lease) {
      const now = found === undefined ? "is gone" : `names ${found.leader.identity}`;
      this.end(`its key in etcd ${now}`);
      return;
    }
    this.#confirmed = asked;
  }

  async #confirm(): Promise<void> {
    for (;;) {
      this.check();
      try {
        await this.#readKey();
        return;
      } catch (error) {
        this.check();
        if (!isTemporary(error)) throw error;
        this.#report(error);
        await sleep(RETRY_MS, this.lost).catch(() => {});
      }
    }
  }

  #report(error: unknown): void {
    if (error instanceof EtcdError) this.#hold.onProblem(error);
    else if (!(error instanceof InterruptedError)) throw error;
  }
}

/** Whether the same call can succeed later. */
export function isTemporary(error: unknown): error is EtcdError {
  const codes = ["ETCD_UNAVAILABLE", "ETCD_TIMEOUT", "ETCD_MIXED_CLUSTERS", "ETCD_LEASE_GONE"];
  return error instanceof EtcdError && codes.includes(error.code);
}
