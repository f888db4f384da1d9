import { throwIfAborted } from "../../../errors.js";
import { AuthToken } from "../auth-token.js";
import { callFailure } from "../call-failure.js";
import { channelCredentials } from "../credentials.js";
import { parseEndpoint } from "../endpoint.js";
import { EtcdError } from "../errors.js";
import { EtcdHost } from "../host.js";
import { loginOf } from "../login.js";
import { decodeStatus, type MemberStatus } from "../member.js";
import { MEMBER_LIST } from "../member-rpc.js";
import type { EtcdOptions } from "../options.js";
import { type Rpc, STATUS } from "../rpc.js";
import { decodeMemberList, type MemberList } from "./member-list.js";

/** Longest wait for the answer of one member, ms: one that is slower is not healthy. */
const ANSWER_MS = 5_000;

/**
 * Questions that a member answers by itself: while its cluster has no leader, while it is a learner, and mostly without a
 * login, which is sent to no address that a cluster names.
 */
export class MemberProbes {
  readonly #options: EtcdOptions;
  readonly #timeoutMs: number;
  readonly #hosts = new Map<string, Promise<EtcdHost>>();

  constructor(options: EtcdOptions) {
    const { timeoutMs = ANSWER_MS } = options;
    this.#options = options;
    this.#timeoutMs = Math.min(timeoutMs, ANSWER_MS);
  }

  /** @throws EtcdError, UsageError, InterruptedError */
  async status(endpoint: string, signal: AbortSignal): Promise<MemberStatus> {
    return decodeStatus(await this.#ask(STATUS, endpoint, signal));
  }

  /**
   * The members as this one knows them. The endpoint is one that the operator names: it gets the login where it asks for it,
   * as etcd does from 3.4.42, 3.5.28 and 3.6.9 on.
   *
   * @throws EtcdError, UsageError, InterruptedError
   */
  async members(endpoint: string, signal: AbortSignal): Promise<MemberList> {
    const login = loginOf(this.#options);
    try {
      return decodeMemberList(await this.#ask(MEMBER_LIST, endpoint, signal));
    } catch (error) {
      const wantsLogin = error instanceof EtcdError && error.code === "ETCD_AUTH";
      if (!wantsLogin || login === undefined) throw error;
      const token = new AuthToken(login, this.#timeoutMs);
      return decodeMemberList(await this.#ask(MEMBER_LIST, endpoint, signal, token));
    }
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
    login?: AuthToken,
  ): Promise<Buffer> {
    const host = await this.#host(endpoint);
    try {
      const call = {
        method: rpc.name,
        request: rpc.encode({}),
        timeoutMs: this.#timeoutMs,
        signal,
      };
      return await host.unary({ ...call, token: await login?.get(host) });
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
