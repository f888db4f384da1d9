import { InterruptedError, throwIfAborted } from "../../errors.js";
import { Moment } from "../../flow/moment.js";
import { sleep } from "../../flow/sleep.js";
import { EtcdConnection } from "./connection.js";
import { EtcdError } from "./errors.js";
import { LeaderKey, type Leader } from "./leader-key.js";
import { isTemporary, type Leadership, LeaseLeadership } from "./leadership.js";
import type { EtcdOptions } from "./options.js";

export type { Leader } from "./leader-key.js";
export type { Leadership } from "./leadership.js";

export interface ElectionOptions {
  /** Key in etcd, the same for all candidates. */
  readonly key: string;
  /** Names this process, for people; not used by another one. */
  readonly identity: string;
  /** Where the server of this process answers. */
  readonly url?: string | undefined;
  /** How long a leader that died is waited for, ms. etcd counts in seconds, and rounds up. */
  readonly ttlMs: number;
  /**
   * How long a candidate waits after it has created the key, before it leads, ms. Default: `ttlMs`. etcd may have been
   * restored to a time at which there was no key, while the leader of before goes on until its last keepalive is that
   * old.
   */
  readonly settleMs?: number | undefined;
  /** Called with failures of etcd that are tried again. */
  readonly onProblem?: ((error: EtcdError) => void) | undefined;
}

/** Longest pause between two looks at the key of another leader, ms. */
const MAX_POLL_MS = 5_000;
const MIN_POLL_MS = 200;
/** Calls within one TTL that may fail by their time limit. */
const CALLS_A_TTL = 4;
/** A busy etcd takes this long, ms; a shorter limit would fail every call. */
const MIN_CALL_MS = 1_000;
/** Longest time for a resignation, ms. */
const RESIGN_MS = 2_000;

/**
 * Elects one leader among processes that share an etcd. The leader's key is bound to a lease, and created only if it
 * does not exist. Candidates look at it again and again instead of watching it: it rarely changes, a takeover waits for
 * the TTL in any case, and a look has the retries, the failover and the login of every other call.
 */
export class Election {
  readonly #etcd: EtcdOptions;
  readonly #options: ElectionOptions;
  readonly #closed = new AbortController();
  #connection: EtcdConnection | undefined;
  #leadership: LeaseLeadership | undefined;

  private constructor(etcd: EtcdOptions, options: ElectionOptions) {
    const callMs = Math.max(MIN_CALL_MS, options.ttlMs / CALLS_A_TTL);
    this.#etcd = { ...etcd, timeoutMs: Math.min(callMs, etcd.timeoutMs ?? callMs) };
    this.#options = options;
  }

  /**
   * Connects. An etcd that does not answer is no error: `campaign` tries again.
   *
   * @throws EtcdError for a login or TLS files that etcd rejects, UsageError, InterruptedError
   */
  static async open(
    etcd: EtcdOptions,
    options: ElectionOptions,
    signal: AbortSignal,
  ): Promise<Election> {
    const election = new Election(etcd, options);
    try {
      await election.#key(signal);
    } catch (error) {
      election.#onTemporary(error);
    }
    return election;
  }

  /**
   * Resolves when this process leads. Call it again when the leadership is lost.
   *
   * @throws EtcdError for a failure that does not end by itself, such as a missing permission; InterruptedError
   */
  async campaign(signal: AbortSignal): Promise<Leadership> {
    const { ttlMs, settleMs = ttlMs } = this.#options;
    const pollMs = Math.min(MAX_POLL_MS, Math.max(MIN_POLL_MS, ttlMs / CALLS_A_TTL));
    const until = AbortSignal.any([signal, this.#closed.signal]);
    for (;;) {
      throwIfAborted(until);
      const leadership = await this.#attempt(until);
      if (leadership === undefined) {
        await sleep(pollMs, until);
        continue;
      }
      this.#leadership = leadership;
      try {
        await sleep(settleMs, AbortSignal.any([until, leadership.lost]));
        await leadership.confirm(until);
        return leadership;
      } catch (error) {
        if (leadership.held()) {
          await this.resign();
          throw error;
        }
      }
    }
  }

  /**
   * The process that leads, or is about to; undefined if there is none.
   *
   * @throws EtcdError, InterruptedError
   */
  async current(signal: AbortSignal): Promise<Leader | undefined> {
    return (await (await this.#key(signal)).read(signal))?.leader;
  }

  /** Lets another process lead at once. Never throws. */
  async resign(): Promise<void> {
    const leadership = this.#leadership;
    this.#leadership = undefined;
    await leadership?.resign(AbortSignal.timeout(RESIGN_MS));
  }

  /** Closes the connection. A leadership ends; unless it was resigned, its key stays for the rest of its lease. */
  close(): void {
    this.#closed.abort();
    this.#leadership?.end("the election is closed");
    this.#connection?.close();
  }

  /** Creates the key, unless another process has it. */
  async #attempt(signal: AbortSignal): Promise<LeaseLeadership | undefined> {
    const { ttlMs, onProblem = () => {} } = this.#options;
    try {
      const key = await this.#key(signal);
      const found = await key.read(signal);
      // A key without a lease would stay for ever: a restore may have dropped its lease.
      if (found?.lease === 0n) await key.deleteUnchanged(found, signal);
      else if (found !== undefined) return undefined;
      const since = Moment.now();
      const lease = await key.grantLease(Math.ceil(ttlMs / 1000), signal);
      let term: bigint | undefined;
      try {
        term = await key.create(this.#options, lease, signal);
      } finally {
        // The call may have been interrupted after it created the key.
        if (term === undefined) await revoke(key, lease);
      }
      if (term === undefined) return undefined;
      return new LeaseLeadership(key, { lease, term, ttlMs, since, onProblem });
    } catch (error) {
      this.#onTemporary(withKeyHint(error, this.#options.key));
    }
    return undefined;
  }

  async #key(signal: AbortSignal): Promise<LeaderKey> {
    this.#connection ??= await EtcdConnection.open(this.#etcd, signal);
    return new LeaderKey(this.#connection, this.#options.key);
  }

  /** Throws any other error. */
  #onTemporary(error: unknown): void {
    if (this.#closed.signal.aborted) throw new InterruptedError();
    if (!isTemporary(error)) throw error;
    // A cluster that was restored may have another id, which a connection rejects.
    if (error.code === "ETCD_MIXED_CLUSTERS") {
      this.#connection?.close();
      this.#connection = undefined;
    }
    this.#options.onProblem?.(error);
  }
}

/** Never throws: otherwise the lease expires. */
async function revoke(key: LeaderKey, lease: bigint): Promise<void> {
  await key.revokeLease(lease, AbortSignal.timeout(RESIGN_MS)).catch(() => {});
}

/** A user who makes backups may have a role that only reads. */
function withKeyHint(error: unknown, key: string): unknown {
  if (!(error instanceof EtcdError) || !/permission denied/.test(error.message)) return error;
  const { message, endpoint, operation, cause } = error;
  const hint = `to elect a leader, the user needs a role that also writes the key ${key}`;
  return new EtcdError(error.code, message, { hint, endpoint, operation, cause });
}
