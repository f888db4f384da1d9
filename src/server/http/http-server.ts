import fastify, { type FastifyInstance } from "fastify";
import { BackupToolError } from "../../errors.js";
import { warnIfOpenToOthers } from "../../files/secret-files.js";
import type { HttpOptions } from "../../settings/server-options.js";
import { Access } from "./access.js";
import { AccessToken } from "./access-token.js";
import { addActionRoutes } from "./action-routes.js";
import { addAnswerRules } from "./answer-rules.js";
import { answerClientError } from "./client-error.js";
import { EventStreams } from "./event-streams.js";
import { DEFAULT_LIMITS, type HttpLimits } from "./limits.js";
import { Listeners } from "./listeners.js";
import { addPageRoutes } from "./page-routes.js";
import type { HttpParts } from "./parts.js";
import { addSnapshotRoutes } from "./snapshot-routes.js";
import { addStatusRoutes } from "./status-routes.js";
import { TlsFiles } from "./tls-files.js";

/** Time for answers in progress when the server closes, ms. */
const CLOSE_MS = 2_000;

/** The HTTP server: status, metrics, the status page, and calls that begin jobs. */
export class HttpServer {
  /** Such as `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly #app: FastifyInstance;
  readonly #listeners: Listeners;
  readonly #streams: EventStreams;

  private constructor(
    url: string,
    app: FastifyInstance,
    listeners: Listeners,
    streams: EventStreams,
  ) {
    this.url = url;
    this.#app = app;
    this.#listeners = listeners;
    this.#streams = streams;
  }

  /**
   * Listens once it resolves.
   *
   * @throws LISTEN_FAILED, SettingError for a file that cannot be used
   */
  static async open(
    options: HttpOptions,
    parts: HttpParts,
    given: Partial<HttpLimits> = {},
  ): Promise<HttpServer> {
    const { state, log } = parts;
    const { host, port, tokenFile } = options;
    const limits = { ...DEFAULT_LIMITS, ...given };
    warnIfOpenToOthers("the token file", tokenFile, (message) => log.warn({}, message));
    warnIfOpenToOthers("the key", options.tls?.key, (message) => log.warn({}, message));
    const token = tokenFile === undefined ? undefined : new AccessToken(tokenFile, log);
    const tls = options.tls && new TlsFiles(options.tls);
    const listeners = new Listeners(limits, tls, log);
    const app = fastify({
      serverFactory: (handler) => listeners.create(handler),
      bodyLimit: limits.bodyBytes,
      requestIdHeader: false,
      forceCloseConnections: "idle",
      clientErrorHandler: answerClientError,
    });
    const streams = new EventStreams(state, limits, log);
    const access = new Access(ownNames(options), token);
    addAnswerRules(app, log);
    addStatusRoutes(app, access, parts);
    addSnapshotRoutes(app, access, state);
    addActionRoutes(app, access, parts);
    addPageRoutes(app, access, state, streams);
    try {
      await app.listen({ host, port });
    } catch (cause) {
      listeners.close();
      await app.close();
      throw listenFailure(host, port, cause);
    }
    const scheme = tls === undefined ? "http" : "https";
    const url = `${scheme}://${inUrl(host)}:${listeners.port ?? port}`;
    return new HttpServer(url, app, listeners, streams);
  }

  /** Clients that wait for events. */
  get eventStreams(): number {
    return this.#streams.size;
  }

  /** Ends event streams at once, and other answers within two seconds. */
  async close(): Promise<void> {
    this.#listeners.close();
    this.#streams.close();
    const timer = setTimeout(() => this.#listeners.closeConnections(), CLOSE_MS);
    try {
      await this.#app.close();
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Names that callers may use, beside `localhost` and the name of the machine. */
function ownNames({ host, url }: HttpOptions): string[] {
  return url !== undefined && URL.canParse(url) ? [host, new URL(url).hostname] : [host];
}

function inUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function listenFailure(host: string, port: number, cause: unknown): BackupToolError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BackupToolError(
    "LISTEN_FAILED",
    `cannot listen on ${inUrl(host)}:${port}: ${reason}`,
    { cause, hint: "choose another address or port", settings: ["server-host", "server-port"] },
  );
}
