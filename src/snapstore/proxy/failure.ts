import { networkFailure } from "../http/network-failure.js";
import type { WebProxy } from "./settings.js";

/** Kept by libraries that put an error of their own in its place, as the message is. */
export type ProxyFailureCode =
  /** It cannot be connected to, or gives no answer. */
  | "PROXY_UNREACHABLE"
  /** It answers that it cannot connect now. */
  | "PROXY_TRANSIENT"
  /** Another try would end the same way. */
  | "PROXY_REFUSED"
  /** It speaks TLS, with a certificate that will not do. */
  | "PROXY_CERTIFICATE"
  /** It asks for a user and a password, or for others. */
  | "PROXY_CREDENTIALS";

/** A proxy did not pass a call on. The message names the proxy and its variable. */
export class ProxyError extends Error {
  override readonly name = "ProxyError";
  readonly code: ProxyFailureCode;

  constructor(code: ProxyFailureCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** Whether it is a ProxyError, or a library's error in its place. */
export function isOfProxy(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^PROXY_/.test(String(error.code));
}

/** The proxy cannot be connected to. */
export function unreachable(proxy: WebProxy, error: Error): ProxyError {
  const failure = networkFailure(error);
  const code = failure?.code === "STORE_FAILED" ? "PROXY_CERTIFICATE" : "PROXY_UNREACHABLE";
  return new ProxyError(code, `the proxy ${proxy.name} cannot be reached: ${error.message}`, error);
}

/** The proxy does not pass a call on to `target`. */
export function refused(proxy: WebProxy, status: number, target: string): ProxyError {
  if (status === 407) {
    const message = `the proxy ${proxy.name} rejects its user and password, or asks for them (407)`;
    return new ProxyError("PROXY_CREDENTIALS", message);
  }
  const transient = status >= 500 || status === 408 || status === 429;
  const message = `the proxy ${proxy.name} does not connect to ${target} (${status})`;
  return new ProxyError(transient ? "PROXY_TRANSIENT" : "PROXY_REFUSED", message);
}

/** The error of a plain HTTP call that went to the proxy itself. */
export function forwardingError(proxy: WebProxy, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof ProxyError) return error;
  if (networkFailure(error) === undefined) return error;
  const connecting = "syscall" in error && /^(connect|getaddrinfo)$/.test(String(error.syscall));
  if (connecting || networkFailure(error)?.code === "STORE_FAILED")
    return unreachable(proxy, error);
  return new ProxyError(
    "PROXY_UNREACHABLE",
    `through the proxy ${proxy.name}: ${error.message}`,
    error,
  );
}
