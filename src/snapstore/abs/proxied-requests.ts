import type {
  RequestPolicy,
  RequestPolicyFactory,
  StoragePipelineOptions,
} from "@azure/storage-blob";
import { KEPT_CONNECTIONS } from "../http/kept-connections.js";
import { ProxyAgents } from "../proxy/agents.js";
import { forwardingError, refused } from "../proxy/failure.js";

/** Milliseconds until a connection through a proxy is set up. */
const CONNECT_MS = 10_000;

/** A decorator around the store tries again, by the kind of error. */
export const OPTIONS: StoragePipelineOptions = {
  retryOptions: { maxTries: 1 },
  // Not used, as each request has its agent. Without it the SDK reads the variables by a rule of its own, and throws
  // at values that have no scheme.
  proxyOptions: { host: "http://unused.invalid", port: 1 },
};

export function newAgents(): ProxyAgents {
  return new ProxyAgents(KEPT_CONNECTIONS, { connectMs: CONNECT_MS });
}

/** Makes the SDK use the connections of `agents`, and the proxies that variables name. */
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
    // Of a call that was forwarded, and is redirected to where none is.
    request.requestOverrides = {};
    request.headers.remove("proxy-authorization");
    return await next.sendRequest(request);
  }
  const { proxy, agent, protocol, hostname, port, origin, headers } = forwarding;
  const path = `${origin}${url.pathname}${url.search}`;
  request.requestOverrides = { agent, protocol, hostname, port, path };
  for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
  try {
    const answer = await next.sendRequest(request);
    if (answer.status !== 407) return answer;
  } catch (error) {
    const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
    if (status !== 407) throw forwardingError(proxy, error);
  }
  throw refused(proxy, 407, url.host);
}
