import type {
  RequestPolicy,
  RequestPolicyFactory,
  StoragePipelineOptions,
} from "@azure/storage-blob";
import { KEPT_CONNECTIONS, ProxyAgents } from "../proxy/agents.js";
import { forwardingError, rejectedByProxy } from "../proxy/failure.js";

/** Milliseconds until a connection through a proxy is set up. */
const CONNECT_MS = 10_000;

/** Options of every client. RetryingStore retries. */
export const OPTIONS: StoragePipelineOptions = {
  retryOptions: { maxTries: 1 },
  // Not used, since each request has its agent. Without the option the SDK reads the proxy variables itself, and throws
  // for values without a scheme.
  proxyOptions: { host: "http://unused.invalid", port: 1 },
};

export function newAgents(): ProxyAgents {
  return new ProxyAgents(KEPT_CONNECTIONS, { connectMs: CONNECT_MS });
}

/** Makes the SDK use `agents`, with the proxies of the environment. */
export function useAgents(agents: ProxyAgents): RequestPolicyFactory {
  return { create: (next) => ({ sendRequest: (request) => send(agents, next, request) }) };
}

type Send = RequestPolicy["sendRequest"];

async function send(
  agents: ProxyAgents,
  next: RequestPolicy,
  request: Parameters<Send>[0],
): ReturnType<Send> {
  const url = new URL(request.url);
  request.agent = url.protocol === "https:" ? agents.https : agents.http;
  const forwarding = agents.forwarding(url);
  if (forwarding === undefined) {
    // The request may be a redirect of a forwarded one.
    request.requestOverrides = {};
    request.headers.remove("proxy-authorization");
    return await next.sendRequest(request);
  }
  const { proxy, agent, protocol, hostname, port, origin, headers } = forwarding;
  const path = `${origin}${url.pathname}${url.search}`;
  request.requestOverrides = { agent, protocol, hostname, port, path };
  for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
  try {
    const response = await next.sendRequest(request);
    if (response.status !== 407) return response;
  } catch (error) {
    const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
    if (status !== 407) throw forwardingError(proxy, error);
  }
  throw rejectedByProxy(proxy, 407, url.host);
}
