import { once } from "node:events";
import { type ClientRequest, request as requestHttp } from "node:http";
import { type AgentOptions, Agent as HttpsAgent, request as requestHttps } from "node:https";
import { isIPv6, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TimeoutError } from "../../flow/deadline.js";
import { refused, unreachable } from "./failure.js";
import { SecureProxyAgent } from "./secure-proxy-agent.js";
import type { WebProxy, ProxySettings } from "./settings.js";

type Connect = HttpsAgent["createConnection"];
type ConnectOptions = Parameters<Connect>[0];
type Connected = NonNullable<Parameters<Connect>[1]>;

/**
 * Connections to HTTPS servers, directly or through the proxy of their URL (CONNECT, RFC 9110 9.3.6). One
 * through a proxy is handed on when its TLS is set up, and kept, closed when idle and shared like any other.
 */
export class TunnelAgent extends HttpsAgent {
  readonly #proxies: ProxySettings;
  readonly #connectMs: number;
  /** Not connected yet. */
  readonly #pending = new Set<Pending>();

  /**
   * @param options of the connections and of the servers' TLS, not of the proxy's
   * @param connectMs until a connection through a proxy is set up, TLS included
   */
  constructor(options: AgentOptions, proxies: ProxySettings, connectMs: number) {
    super(options);
    this.#proxies = proxies;
    this.#connectMs = connectMs;
  }

  override createConnection(options: ConnectOptions, callback?: Connected) {
    try {
      const target = targetOf(options);
      const proxy = this.#proxies.of(new URL(`https://${target}`));
      if (proxy === undefined) return super.createConnection(options, callback);
      this.#tunnel(proxy, target, options).then(
        (socket) => callback?.(null, socket),
        (error) => callback?.(error, new Socket().destroy()),
      );
    } catch (error) {
      // Node calls this from events of other sockets too, where nothing catches what is thrown.
      if (callback === undefined || !(error instanceof Error)) throw error;
      callback(error, new Socket().destroy());
    }
    return undefined;
  }

  override destroy(): void {
    for (const pending of this.#pending) pending.destroy(new ClosedError());
    super.destroy();
  }

  /** Resolves when the server's certificate is verified. */
  async #tunnel(proxy: WebProxy, target: string, options: ConnectOptions): Promise<Duplex> {
    const until = performance.now() + this.#connectMs;
    const request = connectRequest(proxy, target);
    const socket = await this.#inTime(request, until, connected(request, proxy, target));
    const through: ConnectOptions & { readonly socket: Socket } = { ...options, socket };
    const server = super.createConnection(through);
    if (!server) throw new Error("no TLS connection was made");
    await this.#inTime(server, until, once(server, "secureConnect"));
    return server;
  }

  /** Ends what is being connected when the time is over or the agent is destroyed. */
  async #inTime<T>(pending: Pending, until: number, done: Promise<T>): Promise<T> {
    const late = () => pending.destroy(new TimeoutError(this.#connectMs));
    const timer = setTimeout(late, until - performance.now());
    this.#pending.add(pending);
    try {
      return await done;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(pending);
    }
  }
}

interface Pending {
  destroy(error?: Error): unknown;
}

/** Without an error, nothing would tell who waits for the connection. */
class ClosedError extends Error {
  readonly code = "ECONNRESET";
  constructor() {
    super("the connection was closed");
  }
}

function targetOf({ host, port }: ConnectOptions): string {
  const name = host ?? "localhost";
  return `${isIPv6(name) ? `[${name}]` : name}:${port ?? 443}`;
}

function connectRequest({ url, authorization }: WebProxy, target: string): ClientRequest {
  const options = {
    method: "CONNECT",
    path: target,
    headers: { host: target, ...(authorization && { "proxy-authorization": authorization }) },
  } as const;
  // A connection of its own, with the machine's authorities where the proxy speaks TLS.
  return url.protocol === "https:"
    ? requestHttps(url, { ...options, agent: new SecureProxyAgent() })
    : requestHttp(url, { ...options, agent: false });
}

/** The socket on which the server is spoken to. */
function connected(request: ClientRequest, proxy: WebProxy, target: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    request.on("error", (error) => reject(unreachable(proxy, error)));
    request.on("connect", ({ statusCode = 0 }, socket) => {
      if (statusCode >= 200 && statusCode < 300) return resolve(socket);
      socket.destroy();
      reject(refused(proxy, statusCode, target));
    });
    request.end();
  });
}
