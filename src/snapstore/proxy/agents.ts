import { Agent as HttpAgent } from "node:http";
import type { AgentOptions, Agent as HttpsAgent } from "node:https";
import type { ConnectionOptions } from "node:tls";
import { SecureProxyAgent } from "./secure-proxy-agent.js";
import { bareHost, type WebProxy, ProxySettings } from "./settings.js";
import { TunnelAgent } from "./tunnel-agent.js";

/**
 * Options of an agent that keeps connections open for the next call. An idle connection is closed after `timeout` ms,
 * long before a firewall or a load balancer silently drops it: a call on a dropped connection would wait for its whole
 * deadline.
 */
export const KEPT_CONNECTIONS = { keepAlive: true, timeout: 15_000 } as const;

/** How a plain HTTP request is sent to a proxy (absolute form, RFC 9112 3.2.2). */
export interface Forwarding {
  readonly proxy: WebProxy;
  readonly agent: HttpAgent;
  readonly protocol: string;
  /** Without the brackets of an IPv6 address. */
  readonly hostname: string;
  readonly port: number;
  /** Prefix of the path. */
  readonly origin: string;
  /** Added to those of the request. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The agents of one client, with the proxies of the environment. */
export class ProxyAgents {
  readonly #proxies: ProxySettings;
  /** For plain HTTP, except for a proxy that speaks TLS. */
  readonly http: HttpAgent;
  /** For HTTPS. */
  readonly https: TunnelAgent;
  /** For plain HTTP through a proxy that speaks TLS. It uses the CAs of the machine, not those of the store. */
  readonly secureProxy: HttpsAgent;

  constructor(
    connections: Omit<AgentOptions, keyof ConnectionOptions> & { readonly timeout?: number },
    options: { readonly tls?: ConnectionOptions; readonly connectMs: number },
    proxies: ProxySettings = new ProxySettings(process.env),
  ) {
    this.#proxies = proxies;
    this.http = new HttpAgent(connections);
    // Shorter than the client's own deadline, whose error does not name the proxy.
    const connectMs = options.connectMs * 0.9;
    this.https = new TunnelAgent({ ...connections, ...options.tls }, proxies, connectMs);
    this.secureProxy = new SecureProxyAgent(connections);
  }

  /**
   * Undefined for a direct request, and for HTTPS, whose agent opens a tunnel.
   *
   * @throws UsageError if the variable for the URL is not the URL of an HTTP proxy
   */
  forwarding(url: URL): Forwarding | undefined {
    const proxy = this.#proxies.of(url);
    if (proxy === undefined || url.protocol === "https:") return undefined;
    const { authorization } = proxy;
    const { protocol, port } = proxy.url;
    const secure = protocol === "https:";
    return {
      proxy,
      agent: secure ? this.secureProxy : this.http,
      protocol,
      hostname: bareHost(proxy.url),
      port: Number(port) || (secure ? 443 : 80),
      origin: url.origin,
      headers: { host: url.host, ...(authorization && { "proxy-authorization": authorization }) },
    };
  }

  destroy(): void {
    for (const agent of [this.http, this.https, this.secureProxy]) agent.destroy();
  }
}
