import { Agent as HttpAgent } from "node:http";
import type { AgentOptions, Agent as HttpsAgent } from "node:https";
import type { ConnectionOptions } from "node:tls";
import { SecureProxyAgent } from "./secure-proxy-agent.js";
import { bareHost, type WebProxy, ProxySettings } from "./settings.js";
import { TunnelAgent } from "./tunnel-agent.js";

/** Where a plain HTTP call goes instead of its server (absolute form, RFC 9112 3.2.2). */
export interface Forwarding {
  readonly proxy: WebProxy;
  readonly agent: HttpAgent;
  readonly protocol: string;
  /** Without the brackets of an IPv6 address. */
  readonly hostname: string;
  readonly port: number;
  /** Goes before the path. */
  readonly origin: string;
  /** Beside the call's own. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The connections of one client, directly or through the proxies that variables name. */
export class ProxyAgents {
  readonly #proxies: ProxySettings;
  /** Of plain HTTP calls that {@link forwarding} leaves alone. */
  readonly http: HttpAgent;
  /** Of all HTTPS calls. */
  readonly https: TunnelAgent;
  /** Of plain HTTP calls to a proxy that speaks TLS: with the machine's authorities, not the store's. */
  readonly secureProxy: HttpsAgent;

  constructor(
    connections: Omit<AgentOptions, keyof ConnectionOptions> & { readonly timeout?: number },
    options: { readonly tls?: ConnectionOptions; readonly connectMs: number },
    proxies: ProxySettings = new ProxySettings(process.env),
  ) {
    this.#proxies = proxies;
    this.http = new HttpAgent(connections);
    // Before the client's own deadline, whose error does not name the proxy.
    const connectMs = options.connectMs * 0.9;
    this.https = new TunnelAgent({ ...connections, ...options.tls }, proxies, connectMs);
    this.secureProxy = new SecureProxyAgent(connections);
  }

  /**
   * Undefined where the call is made as it is: also every HTTPS call, whose agent makes a tunnel.
   *
   * @throws UsageError when the variable for the URL does not hold the URL of an HTTP proxy
   */
  forwarding(url: URL): Forwarding | undefined {
    const proxy = this.#proxies.of(url);
    if (proxy === undefined || url.protocol === "https:") return undefined;
    const { protocol, port } = proxy.url;
    const secure = protocol === "https:";
    const { authorization } = proxy;
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
