import { BlockList, isIP } from "node:net";
import { UsageError } from "../../errors.js";
import { noProxy } from "./no-proxy.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** An HTTP proxy from a variable. */
export interface WebProxy {
  /** Without user and password. */
  readonly url: URL;
  /** Value of the Proxy-Authorization header. */
  readonly authorization: string | undefined;
  /** For messages: address and variable, without user and password. */
  readonly name: string;
}

/** The proxy variables of an environment. */
export class ProxySettings {
  readonly #byScheme: Readonly<Record<string, ProxyVariable | undefined>>;
  readonly #isExcluded: (host: string, port: number) => boolean;

  constructor(env: Environment) {
    const { HTTP_PROXY: http, HTTPS_PROXY: https, NO_PROXY: none } = proxyVariables(env);
    this.#byScheme = { "http:": http, "https:": https };
    this.#isExcluded = noProxy(none?.value ?? "");
  }

  /**
   * The proxy for a URL. Loopback addresses never use one.
   *
   * @throws UsageError if the variable is not the URL of an HTTP proxy
   */
  of(url: URL): WebProxy | undefined {
    const variable = this.#byScheme[url.protocol];
    if (variable === undefined) return undefined;
    const host = bareHost(url);
    const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
    if (isLoopback(host) || this.#isExcluded(host, port)) return undefined;
    return proxyOf(variable);
  }
}

export interface ProxyVariable {
  readonly name: string;
  readonly value: string;
}

/**
 * The variables for `http:` and `https:` URLs. Lower case takes precedence, as in curl. ALL_PROXY applies to a scheme
 * without its own variable. Under CGI HTTP_PROXY is a header of the request and ignored (CVE-2016-5385).
 */
export function proxyVariables(
  env: Environment,
): Readonly<Record<"HTTP_PROXY" | "HTTPS_PROXY" | "NO_PROXY", ProxyVariable | undefined>> {
  const first = (...names: readonly string[]): ProxyVariable | undefined => {
    for (const name of names) {
      const value = env[name]?.trim();
      if (value) return { name, value };
    }
    return undefined;
  };
  const all = first("all_proxy", "ALL_PROXY");
  const http = env["REQUEST_METHOD"] ? first("http_proxy") : first("http_proxy", "HTTP_PROXY");
  const https = first("https_proxy", "HTTPS_PROXY");
  const none = first("no_proxy", "NO_PROXY");
  return { HTTP_PROXY: http ?? all, HTTPS_PROXY: https ?? all, NO_PROXY: none };
}

/** Without the brackets of an IPv6 address, in lower case. */
export function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, "$1").toLowerCase();
}

function proxyOf({ name, value }: ProxyVariable): WebProxy {
  // Messages do not quote the value, which may contain a password.
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  try {
    const given = new URL(text);
    if (given.protocol !== "http:" && given.protocol !== "https:") throw unsupported(name, given);
    const [user, password] = [given.username, given.password].map(decodeURIComponent);
    const url = new URL(`${given.protocol}//${given.host}`);
    const authorization =
      user || password
        ? `Basic ${Buffer.from(`${user ?? ""}:${password ?? ""}`).toString("base64")}`
        : undefined;
    return { url, authorization, name: `${url.origin} (${name})` };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${name} is not the URL of a proxy`, {
      hint: "write it as http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with %XX for special characters",
    });
  }
}

function unsupported(name: string, { protocol }: URL): UsageError {
  return new UsageError(`${name}: ${protocol.slice(0, -1)} proxies are not supported`, {
    hint: "use an HTTP proxy, add the store's host to NO_PROXY, or use rclone for the store",
  });
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8);
LOOPBACK.addAddress("::1", "ipv6");

function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host === "localhost";
  return LOOPBACK.check(host, family === 4 ? "ipv4" : "ipv6");
}
