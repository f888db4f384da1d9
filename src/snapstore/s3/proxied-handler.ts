import { NodeHttpHandler } from "@smithy/node-http-handler";
import type { ProxyAgents } from "../proxy/agents.js";
import { forwardingError, rejectedByProxy } from "../proxy/failure.js";

type Settings = Readonly<
  Exclude<ConstructorParameters<typeof NodeHttpHandler>[0], (() => unknown) | undefined>
>;
type Handle = NodeHttpHandler["handle"];
type Request = Parameters<Handle>[0];

/** The SDK's request handler, with the proxies of the environment. */
export class ProxiedHandler extends NodeHttpHandler {
  readonly #agents: ProxyAgents;
  /** Sends plain HTTP requests to the proxy. */
  readonly #forwarder: NodeHttpHandler;

  constructor(settings: Settings, agents: ProxyAgents) {
    super({ ...settings, httpAgent: agents.http, httpsAgent: agents.https });
    this.#agents = agents;
    const { http: httpAgent, secureProxy: httpsAgent } = agents;
    this.#forwarder = new NodeHttpHandler({ ...settings, httpAgent, httpsAgent });
  }

  override async handle(request: Request, options?: Parameters<Handle>[1]): ReturnType<Handle> {
    const { protocol, hostname, port } = request;
    const url = new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}`);
    const forwarding = this.#agents.forwarding(url);
    if (forwarding === undefined) return await super.handle(request, options);
    const forwarded = request.clone();
    forwarded.protocol = forwarding.protocol;
    forwarded.hostname = forwarding.hostname;
    forwarded.port = forwarding.port;
    // The path as it was signed: URL would normalize it.
    forwarded.path = forwarding.origin + request.path;
    forwarded.headers = { ...forwarding.headers, ...request.headers };
    const { proxy } = forwarding;
    try {
      const result = await this.#forwarder.handle(forwarded, options);
      const { statusCode, body } = result.response;
      if (statusCode !== 407) return result;
      body?.destroy?.();
      throw rejectedByProxy(proxy, statusCode, url.host);
    } catch (error) {
      throw forwardingError(proxy, error);
    }
  }

  override destroy(): void {
    super.destroy();
    this.#agents.destroy();
  }
}
