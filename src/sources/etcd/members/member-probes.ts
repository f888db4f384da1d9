import { throwIfAborted } from "../../../errors.js";
import { callFailure } from "../call-failure.js";
import { channelCredentials } from "../credentials.js";
import { parseEndpoint } from "../endpoint.js";
import { EtcdHost } from "../host.js";
import { decodeStatus, type MemberStatus } from "../member.js";
import { MEMBER_LIST } from "../member-rpc.js";
import type { EtcdOptions } from "../options.js";
import { type Rpc, STATUS } from "../rpc.js";
import { decodeMemberList, type MemberList } from "./member-list.js";

/** Longest wait for the answer of one member, ms: one that is slower is not healthy. */
const ANSWER_MS = 5_000;

/**
 * Questions that a member answers by itself: while its cluster has no leader, while it is a learner, and without a login,
 * which is sent to no address that a cluster names.
 */
export class MemberProbes {
  readonly #options: EtcdOptions;
  readonly #hosts = new Map<string, Promise<EtcdHost>>();

  constructor(options: EtcdOptions) {
    const { timeoutMs = ANSWER_MS } = options;
    this.#options = { ...options, timeoutMs: Math.min(timeoutMs, ANSWER_MS) };
  }

  /** @throws EtcdError, UsageError, InterruptedError */
  async status(endpoint: string, signal: AbortSignal): Promise<MemberStatus> {
    return decodeStatus(await this.#ask(STATUS, endpoint, signal));
  }

  /** The members as this one knows them. @throws EtcdError, UsageError, InterruptedError */
  async members(endpoint: string, signal: AbortSignal): Promise<MemberList> {
    return decodeMemberList(await this.#ask(MEMBER_LIST, endpoint, signal));
  }

  close(): void {
    for (const host of this.#hosts.values()) {
      host.then(
        (opened) => opened.close(),
        () => {},
      );
    }
  }

  async #ask<Response>(
    rpc: Rpc<Record<string, never>, Response>,
    endpoint: string,
    signal: AbortSignal,
  ): Promise<Buffer> {
    const host = await this.#host(endpoint);
    const { timeoutMs = ANSWER_MS } = this.#options;
    try {
      return await host.unary({ method: rpc.name, request: rpc.encode({}), timeoutMs, signal });
    } catch (cause) {
      // The next question finds a member that has started again at once, without the pauses between connections.
      this.#hosts.delete(endpoint);
      host.close();
      throwIfAborted(signal);
      throw callFailure(cause, host.address, rpc.name, host.secure).error;
    }
  }

  #host(endpoint: string): Promise<EtcdHost> {
    const known = this.#hosts.get(endpoint);
    if (known !== undefined) return known;
    const opened = this.#open(endpoint);
    this.#hosts.set(endpoint, opened);
    return opened;
  }

  async #open(endpoint: string): Promise<EtcdHost> {
    const parsed = parseEndpoint(endpoint);
    const credentialsOf = await channelCredentials([parsed], this.#options);
    return new EtcdHost(parsed.address, credentialsOf(parsed));
  }
}
