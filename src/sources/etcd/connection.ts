import { setTimeout as sleep } from "node:timers/promises";
import { InterruptedError, throwIfAborted, UsageError } from "../../errors.js";
import { decodeAuthToken, encodeAuthenticate } from "./auth-messages.js";
import { callFailure } from "./call-failure.js";
import { channelCredentials } from "./credentials.js";
import { parseEndpoint } from "./endpoint.js";
import { EtcdError } from "./errors.js";
import { EtcdHost } from "./host.js";
import { type Login, loginOf } from "./login.js";
import type { EtcdOptions } from "./options.js";
import { encodeRangeRequest, ZERO_KEY } from "./range-request.js";
import { decodeHeader, type ResponseHeader } from "./response-header.js";

/** Longest wait for one answer, ms, unless the options say otherwise. */
const DEFAULT_TIMEOUT_MS = 30_000;
/** Longest wait for the first answer of an endpoint, ms. */
const FIRST_ANSWER_MS = 10_000;
/** How long a call goes round the endpoints before it fails: a restart of etcd takes some seconds. */
const PATIENCE_MS = 15_000;
const FIRST_PAUSE_MS = 50;
/** Between two calls at most: what forgets idle connections does so after a minute or more. */
const HEARTBEAT_MS = 20_000;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly anySize?: boolean;
}

/** Calls to the members of one cluster: the first that answers, the next when it fails. */
export class EtcdConnection {
  readonly #hosts: readonly EtcdHost[];
  readonly #login: Login | undefined;
  readonly #timeoutMs: number;
  readonly #heartbeatMs: number;
  readonly #checked = new Set<EtcdHost>();
  #at = 0;
  #token: Promise<string | undefined> | undefined;
  #clusterId: bigint | undefined;
  #closed = false;
  #lastCall = performance.now();
  readonly #heartbeat: NodeJS.Timeout;

  private constructor(
    hosts: readonly EtcdHost[],
    login: Login | undefined,
    timeoutMs: number,
    heartbeatMs: number,
  ) {
    this.#hosts = hosts;
    this.#login = login;
    this.#timeoutMs = timeoutMs;
    this.#heartbeatMs = heartbeatMs;
    this.#heartbeat = setInterval(() => void this.#keepAlive(), heartbeatMs).unref();
  }

  /** Opens, and has one endpoint answer; each is tried once. */
  static async open(options: EtcdOptions, signal?: AbortSignal): Promise<EtcdConnection> {
    throwIfAborted(signal);
    const endpoints = options.endpoints.map(parseEndpoint);
    if (endpoints.length === 0) throw new UsageError("no etcd endpoint is given");
    const login = loginOf(options);
    const credentials = await channelCredentials(endpoints, options, signal);
    const hosts = credentials.map(
      (credential, i) => new EtcdHost(endpoints[i]?.address ?? "", credential),
    );
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const connection = new EtcdConnection(
      hosts,
      login,
      timeoutMs,
      options.heartbeatMs ?? HEARTBEAT_MS,
    );
    try {
      await connection.#call("KV/Range", PROBE, { signal }, 0);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** As etcd prints it: hexadecimal. */
  get clusterId(): string {
    return (this.#clusterId ?? 0n).toString(16);
  }

  /** The cluster's latest revision, agreed on by its members. */
  async header(signal?: AbortSignal): Promise<ResponseHeader> {
    return decodeHeader(await this.call("KV/Range", PROBE, { signal }));
  }

  /**
   * One unary call. What can succeed elsewhere or later is tried again for a few seconds, and a call without an
   * answer once more on a new connection, so it must be safe to repeat.
   *
   * @throws EtcdError, InterruptedError
   */
  call(method: string, request: Buffer, options: CallOptions = {}): Promise<Buffer> {
    return this.#call(method, request, options, PATIENCE_MS);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#heartbeat);
    for (const host of this.#hosts) host.close();
  }

  get #host(): EtcdHost {
    return this.#hosts[this.#at] as EtcdHost;
  }

  async #call(
    method: string,
    request: Buffer,
    options: CallOptions,
    patienceMs: number,
  ): Promise<Buffer> {
    const { signal } = options;
    let giveUpAt = 0;
    let failures = 0;
    let newToken = false;
    let timeouts = 0;
    for (;;) {
      throwIfAborted(signal);
      if (this.#closed) {
        throw new EtcdError("ETCD_UNAVAILABLE", "the connection to etcd is closed");
      }
      const host = this.#host;
      const token = this.#token;
      try {
        if (!this.#checked.has(host)) await this.#check(host, signal);
        return await this.#once(host, method, request, this.#timeoutMs, options);
      } catch (cause) {
        if (signal?.aborted || cause instanceof InterruptedError) throw new InterruptedError();
        const { remedy, error } = callFailure(cause, host.address, method, host.secure);
        if (remedy === "token" && this.#login !== undefined && !newToken) {
          newToken = true;
          // Others that failed with the same token may have asked for a new one already.
          if (this.#token === token) this.#token = undefined;
          continue;
        }
        const elsewhere = this.#hosts.length > 1;
        if (remedy !== "retry" && !(error.code === "ETCD_TLS" && elsewhere)) throw error;
        if (error.code === "ETCD_TIMEOUT") {
          host.renew();
          // A server that takes all of its time twice takes it again.
          if (++timeouts > 1 && !elsewhere) throw error;
        }
        if (failures++ === 0) giveUpAt = performance.now() + patienceMs;
        this.#checked.delete(host);
        // Others that failed on the same endpoint may have moved on already.
        if (this.#host === host) this.#at = (this.#at + 1) % this.#hosts.length;
        if (failures >= this.#hosts.length && performance.now() >= giveUpAt) throw error;
        if (failures % this.#hosts.length === 0) {
          const round = failures / this.#hosts.length;
          await pause(Math.min(1000, FIRST_PAUSE_MS * 2 ** round), signal);
        }
      }
    }
  }

  /** The first call to an endpoint: it answers, takes the login, and is of the same cluster. */
  async #check(host: EtcdHost, signal: AbortSignal | undefined): Promise<void> {
    const timeoutMs = Math.min(this.#timeoutMs, FIRST_ANSWER_MS);
    const answer = await this.#once(host, "KV/Range", PROBE, timeoutMs, { signal });
    const { clusterId } = decodeHeader(answer);
    if (this.#clusterId !== undefined && this.#clusterId !== clusterId) {
      throw new EtcdError(
        "ETCD_MIXED_CLUSTERS",
        `etcd ${host.address} is of cluster ${clusterId.toString(16)}, not ${this.clusterId}`,
        { endpoint: host.address, operation: "connect", hint: "name members of one cluster only" },
      );
    }
    this.#clusterId = clusterId;
    this.#checked.add(host);
  }

  async #once(
    host: EtcdHost,
    method: string,
    request: Buffer,
    timeoutMs: number,
    { signal, anySize = false }: CallOptions,
  ): Promise<Buffer> {
    this.#lastCall = performance.now();
    let token: string | undefined;
    if (this.#login !== undefined) {
      this.#token ??= this.#authenticate(host, this.#login);
      const asked = this.#token;
      try {
        token = await asked;
      } catch (error) {
        if (this.#token === asked) this.#token = undefined;
        throw error;
      }
    }
    return await host.unary({ method, request, token, timeoutMs, signal, anySize });
  }

  /** Keeps what forgets idle connections from doing so while Ceph is read or written. */
  async #keepAlive(): Promise<void> {
    const host = this.#host;
    if (!this.#checked.has(host) || performance.now() - this.#lastCall < this.#heartbeatMs / 2)
      return;
    try {
      await this.#once(host, "KV/Range", PROBE, Math.min(this.#timeoutMs, FIRST_ANSWER_MS), {});
    } catch {
      // The next call says what is wrong, if it still is, and finds a new connection.
      host.renew();
    }
  }

  async #authenticate(host: EtcdHost, login: Login): Promise<string | undefined> {
    try {
      const answer = await host.unary({
        method: "Auth/Authenticate",
        request: encodeAuthenticate(login),
        token: undefined,
        timeoutMs: Math.min(this.#timeoutMs, FIRST_ANSWER_MS),
        signal: undefined,
        anySize: false,
      });
      return decodeAuthToken(answer);
    } catch (error) {
      // As etcd's own client: a login that the cluster does not ask for is no error.
      if (error instanceof Error && /authentication is not enabled/.test(error.message)) {
        return undefined;
      }
      throw error;
    }
  }
}

/** Linearizable, touches one key at most, and needs the same permission as a backup. */
const PROBE = encodeRangeRequest({ key: ZERO_KEY, limit: 1, keysOnly: true });

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    throw new InterruptedError();
  }
}
