import { once } from "node:events";
import { type ClientRequest, request as requestHttp } from "node:http";
import { type AgentOptions, Agent as HttpsAgent, request as requestHttps } from "node:https";
import { isIPv6, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TimeoutError } from "../../flow/deadline.js";
import { rejectedByProxy, unreachable } from "./failure.js";
import { SecureProxyAgent } from "./secure-proxy-agent.js";
import type { WebProxy, ProxySettings } from "./settings.js";

type Connect = HttpsAgent["createConnection"];
type ConnectOptions = Parameters<Connect>[0];
type Connected = NonNullable<Parameters<Connect>[1]>;

/**
 * Connects to HTTPS servers, directly or through the proxy for their URL (CONNECT, RFC 9110 9.3.6). A connection
 * through a proxy is returned once its TLS is set up, and pooled like any other.
 */
export class TunnelAgent extends HttpsAgent {
  readonly #proxies: ProxySettings;
  readonly #connectMs: number;
  /** Connections that are being set up. */
  readonly #pending = new Set<Pending>();

  /**
   * @param options of the connections and of TLS to the servers, not to the proxy
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
      // Node also calls this method in event handlers, where an exception would be uncaught.
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

  /** Destroys `pending` at the deadline, or with the agent. */
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

/** Rejects the callers that wait for a connection. */
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
  // A separate connection. To a proxy that speaks TLS it uses the CAs of the machine.
  return url.protocol === "https:"
    ? requestHttps(url, { ...options, agent: new SecureProxyAgent() })
    : requestHttp(url, { ...options, agent: false });
}

/** The socket of the tunnel. */
function connected(request: ClientRequest, proxy: WebProxy, target: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    request.on("error", (error) => reject(unreachable(proxy, error)));
    request.on("connect", ({ statusCode = 0 }, socket) => {
      if (statusCode >= 200 && statusCode < 300) return resolve(socket);
      socket.destroy();
      reject(rejectedByProxy(proxy, statusCode, target));
    });
    request.end();
  });
}
