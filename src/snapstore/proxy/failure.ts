import { networkFailure } from "../http/network-failure.js";
import type { WebProxy } from "./settings.js";

/** Libraries that wrap the error in one of their own keep its code and message. */
export type ProxyFailureCode =
  /** Cannot connect to the proxy, or it does not respond. */
  | "PROXY_UNREACHABLE"
  /** The proxy cannot connect at the moment. */
  | "PROXY_TRANSIENT"
  /** The proxy rejects the request. */
  | "PROXY_REFUSED"
  /** The certificate of the proxy is invalid. */
  | "PROXY_CERTIFICATE"
  /** The proxy requires user and password, or rejects them. */
  | "PROXY_CREDENTIALS";

/** A request that failed at a proxy. The message names the proxy and its variable. */
export class ProxyError extends Error {
  override readonly name = "ProxyError";
  readonly code: ProxyFailureCode;

  constructor(code: ProxyFailureCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** Whether the error is a ProxyError, or wraps one. */
export function isProxyError(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^PROXY_/.test(String(error.code));
}

/** The error for a connection to the proxy that failed. */
export function unreachable(proxy: WebProxy, error: Error): ProxyError {
  const failure = networkFailure(error);
  const code = failure?.code === "STORE_FAILED" ? "PROXY_CERTIFICATE" : "PROXY_UNREACHABLE";
  return new ProxyError(code, `the proxy ${proxy.name} cannot be reached: ${error.message}`, error);
}

/** The error for an error status of the proxy, instead of a connection to `target`. */
export function rejectedByProxy(proxy: WebProxy, status: number, target: string): ProxyError {
  if (status === 407) {
    const message = `the proxy ${proxy.name} requires a user and password, or rejects them (407)`;
    return new ProxyError("PROXY_CREDENTIALS", message);
  }
  const transient = status >= 500 || status === 408 || status === 429;
  const message = `the proxy ${proxy.name} does not connect to ${target} (${status})`;
  return new ProxyError(transient ? "PROXY_TRANSIENT" : "PROXY_REFUSED", message);
}

/** The error of a plain HTTP request that was sent to the proxy. */
export function forwardingError(proxy: WebProxy, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof ProxyError) return error;
  const failure = networkFailure(error);
  if (failure === undefined) return error;
  const connecting = "syscall" in error && /^(connect|getaddrinfo)$/.test(String(error.syscall));
  if (connecting || failure.code === "STORE_FAILED") return unreachable(proxy, error);
  const message = `through the proxy ${proxy.name}: ${error.message}`;
  return new ProxyError("PROXY_UNREACHABLE", message, error);
}
