import { InterruptedError, throwIfAborted, UsageError } from "../../errors.js";
import { sleep } from "../../flow/sleep.js";
import { AuthToken } from "./auth-token.js";
import { callFailure } from "./call-failure.js";
import { channelCredentials } from "./credentials.js";
import { parseEndpoint } from "./endpoint.js";
import { EtcdError, mixedClusters } from "./errors.js";
import { EtcdHost } from "./host.js";
import type { HostStream } from "./host-stream.js";
import { ZERO_KEY } from "./key-order.js";
import { type Login, loginOf } from "./login.js";
import type { EtcdOptions } from "./options.js";
import { RANGE, type Received, type Rpc } from "./rpc.js";

/** Longest wait for one response by default, ms. */
const DEFAULT_TIMEOUT_MS = 30_000;
/** Longest wait for the first response of an endpoint, ms. */
const FIRST_RESPONSE_MS = 10_000;
/** How long a call tries the endpoints in turn before it fails, ms: a restart of etcd takes some seconds. */
const PATIENCE_MS = 15_000;
const FIRST_PAUSE_MS = 50;
/** Longest time without a call, ms: firewalls forget idle connections after a minute or more. */
const HEARTBEAT_MS = 20_000;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Accept a response of any size. */
  readonly anySize?: boolean;
  /** How long the endpoints are tried in turn, ms; 0: each once. Default: {@link PATIENCE_MS}. */
  readonly patienceMs?: number;
}

export interface ClusterState {
  readonly clusterId: bigint;
  readonly revision: number;
  readonly raftTerm: number;
}

export interface StreamOptions {
  readonly signal?: AbortSignal | undefined;
  /** Longest wait for a message, ms. */
  readonly silenceMs?: number | undefined;
  /** Fail as soon as the member has lost the leader. */
  readonly requireLeader?: boolean;
  /** Whether etcd answers until the caller stops: its request is not the end of the call. */
  readonly endless?: boolean;
}

/** Calls to the members of one cluster: to the first that responds, and to the next one when it fails. */
export class EtcdConnection {
  readonly #hosts: readonly EtcdHost[];
  readonly #token: AuthToken;
  readonly #timeoutMs: number;
  readonly #firstResponseMs: number;
  readonly #heartbeatMs: number;
  readonly #checked = new Set<EtcdHost>();
  #host: EtcdHost;
  #clusterId: bigint | undefined;
  #closed = false;
  #lastCall = performance.now();
  readonly #heartbeat: NodeJS.Timeout;

  private constructor(
    first: EtcdHost,
    others: readonly EtcdHost[],
    login: Login | undefined,
    { timeoutMs = DEFAULT_TIMEOUT_MS, heartbeatMs = HEARTBEAT_MS }: EtcdOptions,
  ) {
    this.#hosts = [first, ...others];
    this.#host = first;
    this.#timeoutMs = timeoutMs;
    this.#firstResponseMs = Math.min(timeoutMs, FIRST_RESPONSE_MS);
    this.#token = new AuthToken(login, this.#firstResponseMs);
    this.#heartbeatMs = heartbeatMs;
    this.#heartbeat = setInterval(() => void this.#keepAlive(), heartbeatMs).unref();
  }

  /**
   * Resolves once an endpoint has responded; each is tried once.
   *
   * @throws EtcdError, UsageError, InterruptedError
   */
  static async open(options: EtcdOptions, signal?: AbortSignal): Promise<EtcdConnection> {
    throwIfAborted(signal);
    const endpoints = options.endpoints.map(parseEndpoint);
    const login = loginOf(options);
    const credentialsOf = await channelCredentials(endpoints, options, signal);
    const [first, ...others] = endpoints.map(
      (endpoint) => new EtcdHost(endpoint.address, credentialsOf(endpoint)),
    );
    if (first === undefined) throw new UsageError("no etcd endpoint is given");
    const connection = new EtcdConnection(first, others, login, options);
    try {
      await connection.#retry(RANGE.name, RANGE.encode(PROBE), { signal }, 0);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Hexadecimal, as etcd prints it. */
  get clusterId(): string {
    return (this.#clusterId ?? 0n).toString(16);
  }

  /** The cluster's latest revision, which a majority of its members has confirmed. */
  async currentRevision(signal?: AbortSignal): Promise<number> {
    return (await this.state(signal)).revision;
  }

  /** By a linearizable read: all of it is the latest that a majority of the members has confirmed. */
  async state(signal?: AbortSignal): Promise<ClusterState> {
    const { header } = await this.call(RANGE, PROBE, { signal });
    return {
      clusterId: BigInt(header?.cluster_id ?? 0),
      revision: Number(header?.revision ?? 0),
      raftTerm: Number(header?.raft_term ?? 0),
    };
  }

  /**
   * One unary call. A failure that can succeed on another endpoint or later is tried again for some seconds, and a
   * call without a response once more on a new connection, so the call must be idempotent.
   *
   * @throws EtcdError, InterruptedError
   */
  async call<Request extends object, Response>(
    rpc: Rpc<Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Received<Response>> {
    return rpc.decode(await this.callRaw(rpc.name, rpc.encode(request), options));
  }

  /** {@link call} for messages that the caller encodes and decodes. */
  callRaw(method: string, request: Buffer, options: CallOptions = {}): Promise<Buffer> {
    return this.#retry(method, request, options, options.patienceMs ?? PATIENCE_MS);
  }

  /**
   * The encoded messages that answer one request, read only as fast as they are taken. The endpoint is the one that
   * calls use now. Only an expired token is replaced, before the first message; the caller handles other failures.
   *
   * @throws EtcdError, InterruptedError
   */
  async *stream<Request extends object>(
    rpc: Rpc<Request, unknown>,
    request: Request,
    options: StreamOptions = {},
  ): AsyncGenerator<Buffer, void, void> {
    const { signal } = options;
    let messages = 0;
    for (let tries = 1; ; tries++) {
      throwIfAborted(signal);
      const host = this.#host;
      const token = this.#token.current;
      let stream: HostStream | undefined;
      try {
        if (!this.#checked.has(host)) await this.#check(host, signal);
        const headers = { method: rpc.name, token: await this.#token.get(host) };
        stream = host.stream({ ...options, ...headers });
        stream.send(rpc.encode(request), !options.endless);
        for (;;) {
          const message = await stream.next();
          if (message === undefined) return;
          messages++;
          yield message;
        }
      } catch (cause) {
        if (signal?.aborted || cause instanceof InterruptedError) throw new InterruptedError();
        const { remedy, error } = callFailure(cause, host.address, rpc.name, host.secure);
        const hasLogin = remedy === "token" && this.#token.renew(token);
        if (!hasLogin || messages > 0 || tries > 1) throw error;
      } finally {
        stream?.cancel();
      }
    }
  }

  /** `host:port` of the endpoint that calls use now. */
  get endpoint(): string {
    return this.#host.address;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#heartbeat);
    for (const host of this.#hosts) host.close();
  }

  async #retry(
    method: string,
    request: Buffer,
    options: CallOptions,
    patienceMs: number,
  ): Promise<Buffer> {
    const { signal } = options;
    let deadline = 0;
    let failures = 0;
    let timeouts = 0;
    let newToken = false;
    for (;;) {
      throwIfAborted(signal);
      if (this.#closed) {
        throw new EtcdError("ETCD_UNAVAILABLE", "the connection to etcd is closed");
      }
      const host = this.#host;
      const token = this.#token.current;
      try {
        if (!this.#checked.has(host)) await this.#check(host, signal);
        return await this.#once(host, method, request, this.#timeoutMs, options);
      } catch (cause) {
        if (signal?.aborted || cause instanceof InterruptedError) throw new InterruptedError();
        const { remedy, error } = callFailure(cause, host.address, method, host.secure);
        const isToken = remedy === "token" && this.#token.renew(token);
        if (isToken && !newToken) {
          newToken = true;
          continue;
        }
        const hasOthers = this.#hosts.length > 1;
        // A member that is behind learns later of a token that another one has issued.
        const isPassing = remedy === "retry" || isToken || (error.code === "ETCD_TLS" && hasOthers);
        if (!isPassing) throw error;
        if (error.code === "ETCD_TIMEOUT") {
          host.renew();
          // A second timeout of the only host is unlikely to be the connection's.
          if (++timeouts > 1 && !hasOthers) throw error;
        }
        if (failures++ === 0) deadline = performance.now() + patienceMs;
        this.#moveOn(host);
        if (failures >= this.#hosts.length && performance.now() >= deadline) throw error;
        if (failures % this.#hosts.length === 0) {
          const round = failures / this.#hosts.length;
          await sleep(Math.min(1000, FIRST_PAUSE_MS * 2 ** round), signal);
        }
      }
    }
  }

  /** Makes the next host the current one, unless another call that failed on `failed` has done so already. */
  #moveOn(failed: EtcdHost): void {
    this.#checked.delete(failed);
    if (this.#host !== failed) return;
    const next = this.#hosts.indexOf(failed) + 1;
    this.#host = this.#hosts[next] ?? this.#hosts[0] ?? failed;
  }

  /** The first call to a host: it responds, accepts the login, and belongs to the same cluster as the others. */
  async #check(host: EtcdHost, signal: AbortSignal | undefined): Promise<void> {
    const response = await this.#probe(host, signal);
    const clusterId = BigInt(RANGE.decode(response).header?.cluster_id ?? 0);
    if (this.#clusterId !== undefined && this.#clusterId !== clusterId) {
      throw mixedClusters(host.address, clusterId, this.clusterId);
    }
    this.#clusterId = clusterId;
    this.#checked.add(host);
  }

  #probe(host: EtcdHost, signal?: AbortSignal): Promise<Buffer> {
    const request = RANGE.encode(PROBE);
    return this.#once(host, RANGE.name, request, this.#firstResponseMs, { signal });
  }

  async #once(
    host: EtcdHost,
    method: string,
    request: Buffer,
    timeoutMs: number,
    options: CallOptions,
  ): Promise<Buffer> {
    this.#lastCall = performance.now();
    const token = await this.#token.get(host);
    return await host.unary({ ...options, method, request, token, timeoutMs });
  }

  /** Makes a call when there was none for a while, so that firewalls keep the connection. */
  async #keepAlive(): Promise<void> {
    const host = this.#host;
    const idleMs = performance.now() - this.#lastCall;
    if (!this.#checked.has(host) || idleMs < this.#heartbeatMs / 2) return;
    try {
      await this.#probe(host);
    } catch {
      // The next call finds a new connection, and reports the failure if it persists.
      host.renew();
    }
  }
}

/** Linearizable, touches one key at most, and needs the same permission as a backup. */
const PROBE = { key: ZERO_KEY, limit: 1, keys_only: true };
