import { UsageError } from "../../errors.js";
import type { EtcdOptions } from "./options.js";

/** The address of one server. */
export interface Endpoint {
  /** `host:port`, an IPv6 host in brackets. */
  readonly address: string;
  /** From the scheme; undefined where none was given. */
  readonly tls: boolean | undefined;
}

const DEFAULT_PORT = 2379;

/**
 * Parses an endpoint in the syntax of etcdctl: `host:port`, `http://host:port` or `https://host:port`. The port may be
 * left out.
 *
 * @throws UsageError for anything else
 */
export function parseEndpoint(text: string): Endpoint {
  const scheme = /^(\w+):\/\//.exec(text);
  const name = scheme?.[1]?.toLowerCase();
  if (name !== undefined && name !== "http" && name !== "https") throw invalid(text);
  const rest = (scheme === null ? text : text.slice(scheme[0].length)).replace(/\/$/, "");
  const match = /^(\[[0-9a-fA-F:.%\w]+\]|[^\s/:@[\]]+)(?::(\d{1,5}))?$/.exec(rest);
  const port = Number(match?.[2] ?? DEFAULT_PORT);
  if (match === null || port < 1 || port > 65535) throw invalid(text);
  return { address: `${match[1]}:${port}`, tls: name === undefined ? undefined : name === "https" };
}

/** Whether a channel to the endpoint is TLS, as channelCredentials makes it. */
export function usesTls(
  endpoint: Endpoint,
  { cacert, cert }: Pick<EtcdOptions, "cacert" | "cert">,
): boolean {
  return endpoint.tls ?? (cacert !== undefined || cert !== undefined);
}

function invalid(text: string): UsageError {
  // user:password@host is invalid, and its password must not be printed.
  const safe = text.replace(/^(\w+:\/\/)?.*@/s, "$1…@");
  return new UsageError(`${JSON.stringify(safe)} is not an etcd endpoint`, {
    hint: "write host:port, http://host:port or https://host:port",
  });
}
