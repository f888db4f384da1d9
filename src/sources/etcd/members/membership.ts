import { EtcdConnection } from "../connection.js";
import { EtcdError } from "../errors.js";
import { MEMBER_ADD, MEMBER_LIST, MEMBER_PROMOTE, MEMBER_REMOVE } from "../member-rpc.js";
import type { EtcdOptions } from "../options.js";
import { decodeMemberList, type MemberList } from "./member-list.js";

/**
 * Answers of etcd that a later look at the cluster finds settled: another member joins, one is not connected, the learner
 * lags, or a call that seemed to fail has succeeded (`error.go` of etcd's `rpctypes`).
 */
const PASSING =
  /too many learner|unhealthy cluster|not enough started members|in sync with leader|already exists|member not found|only promote a learner|leader changed|timed out|deadline exceeded/;

/** The members of a cluster that has a leader, as its majority lists and changes them. */
export class Membership {
  readonly #connection: EtcdConnection;

  private constructor(connection: EtcdConnection) {
    this.#connection = connection;
  }

  /** @throws EtcdError, UsageError, InterruptedError */
  static async open(options: EtcdOptions, signal: AbortSignal): Promise<Membership> {
    return new Membership(await EtcdConnection.open(options, signal));
  }

  /** @throws EtcdError, InterruptedError */
  async list(signal: AbortSignal): Promise<MemberList> {
    // etcd 3.4 answers from what the member has applied: after a linearizable read that is what the majority has.
    await this.#connection.currentRevision(signal);
    const request = MEMBER_LIST.encode({ linearizable: true });
    const options = { signal, patienceMs: 0 };
    return decodeMemberList(await this.#connection.callRaw(MEMBER_LIST.name, request, options));
  }

  /** Adds a member without a vote, which has not started yet. */
  addLearner(peerURLs: string[], signal: AbortSignal): Promise<EtcdError | undefined> {
    return passing(
      this.#connection.call(MEMBER_ADD, { peerURLs, isLearner: true }, { signal, patienceMs: 0 }),
    );
  }

  remove(id: bigint, signal: AbortSignal): Promise<EtcdError | undefined> {
    return passing(
      this.#connection.call(MEMBER_REMOVE, { ID: `${id}` }, { signal, patienceMs: 0 }),
    );
  }

  /** Gives the learner its vote, where it has caught up with the leader. */
  promote(id: bigint, signal: AbortSignal): Promise<EtcdError | undefined> {
    return passing(
      this.#connection.call(MEMBER_PROMOTE, { ID: `${id}` }, { signal, patienceMs: 0 }),
    );
  }

  close(): void {
    this.#connection.close();
  }
}

/**
 * Undefined once the call has succeeded, and the error where another look at the members must say what holds: the calls are
 * not idempotent, and their answers get lost. Throws errors that stay.
 */
async function passing(call: Promise<unknown>): Promise<EtcdError | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    if (isPassing(error)) return error;
    throw error;
  }
}

/** Whether the same question can have another answer in a moment. */
export function isPassing(error: EtcdError): boolean {
  return (
    error.code === "ETCD_UNAVAILABLE" ||
    error.code === "ETCD_TIMEOUT" ||
    PASSING.test(error.message)
  );
}
