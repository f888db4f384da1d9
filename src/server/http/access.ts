import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import { hostname } from "node:os";
import type { FastifyRequest } from "fastify";
import { quoted } from "../../quoted.js";
import type { AccessToken } from "./access-token.js";
import { HttpProblem } from "./problem.js";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** Headers of proxies: the caller is another machine. */
const FORWARDED = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/**
 * Who may do what. A web page that a user of this machine has open must change nothing here (cross-site requests), and
 * read nothing by a name of its own that resolves to this machine (DNS rebinding).
 */
export class Access {
  readonly #token: AccessToken | undefined;
  readonly #names: ReadonlySet<string>;

  /** @param names that callers may use, beside `localhost` and the name of the machine */
  constructor(names: readonly string[], token: AccessToken | undefined) {
    this.#token = token;
    const own = ["localhost", hostname(), ...names];
    this.#names = new Set(own.map((name) => name.toLowerCase()));
  }

  /** Hook of routes that change something. */
  readonly changing = async ({ raw }: FastifyRequest): Promise<void> => this.#checkChange(raw);

  /** Hook of routes that read more than health and metrics. */
  readonly reading = async ({ raw }: FastifyRequest): Promise<void> => this.#checkRead(raw);

  #checkChange(request: IncomingMessage): void {
    rejectOtherSites(request);
    if (this.#token !== undefined) {
      this.#checkToken(this.#token, request.headers.authorization);
      return;
    }
    const forwarded = FORWARDED.find((name) => request.headers[name] !== undefined);
    if (forwarded !== undefined || !isLoopback(request)) {
      throw new HttpProblem(
        403,
        "TOKEN_NEEDED",
        "only callers on this machine may do this: the server has no token file (server-token-file)",
      );
    }
    this.#checkHost(request);
  }

  #checkRead(request: IncomingMessage): void {
    // Callers from elsewhere use names that this machine may not know, such as that of a Kubernetes service.
    if (!isLoopback(request)) return;
    const { authorization } = request.headers;
    if (authorization !== undefined && this.#token?.check(authorization) === "valid") return;
    this.#checkHost(request);
  }

  #checkToken(token: AccessToken, authorization: string | undefined): void {
    const result = token.check(authorization);
    if (result === "valid") return;
    if (result === "unreadable") {
      throw new HttpProblem(503, "TOKEN_UNREADABLE", "the token file of the server has no token");
    }
    const [message, challenge] =
      result === "missing"
        ? ["this call needs the token of the server (Authorization: Bearer …)", "Bearer"]
        : ["the token is wrong", 'Bearer error="invalid_token"'];
    throw new HttpProblem(401, "TOKEN_NEEDED", message, {
      headers: { "www-authenticate": challenge },
    });
  }

  #checkHost(request: IncomingMessage): void {
    const name = hostName(request.headers.host);
    if (isIP(name) !== 0 || this.#names.has(name)) return;
    throw new HttpProblem(
      421,
      "FOREIGN_HOST",
      `the server is not known as ${quoted(name)}: use its address, localhost, its host name or that of its URL (server-url)`,
    );
  }
}

function rejectOtherSites({ headers }: IncomingMessage): void {
  const { origin, host, "sec-fetch-site": site } = headers;
  const isOwnSite = site === undefined || site === "same-origin" || site === "none";
  if (isOwnSite && (origin === undefined || originHost(origin) === host?.toLowerCase())) return;
  throw new HttpProblem(403, "FOREIGN_ORIGIN", "web pages of other sites may not do this");
}

/** `host:port` of an origin as browsers send it; undefined for `null`. */
function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

function hostName(host: string | undefined): string {
  if (host === undefined || !URL.canParse(`http://${host}`)) return "";
  return new URL(`http://${host}`).hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
}

function isLoopback({ socket }: IncomingMessage): boolean {
  const address = socket.remoteAddress?.replace(/^::ffff:/, "") ?? "";
  const family = isIP(address);
  return family !== 0 && LOOPBACK.check(address, family === 6 ? "ipv6" : "ipv4");
}
