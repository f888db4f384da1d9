import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { InterruptedError, throwIfAborted } from "../../errors.js";
import { TimeoutError } from "../../flow/deadline.js";
import { bodyPieces } from "./body.js";
import { type Forwarding, KEPT_CONNECTIONS, ProxyAgents } from "../proxy/agents.js";
import { forwardingError, rejectedByProxy } from "../proxy/failure.js";
import type { ProxySettings } from "../proxy/settings.js";
import { bodyError, type CallContext, callError } from "./failure.js";

/** Milliseconds. */
export interface HttpDeadlines {
  /** Until a connection is set up. */
  readonly connectMs: number;
  /** Without a byte in either direction. */
  readonly idleMs: number;
}

export const HTTP_DEADLINES: HttpDeadlines = { connectMs: 10_000, idleMs: 60_000 };

/** Limit for bodies that are read into memory: errors, listings, tokens. */
const MAX_TEXT_BYTES = 64 << 20;
/** Idle connections that are kept open for each server. */
const MAX_IDLE = 16;

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Sent one after the other. */
  readonly body?: readonly Uint8Array[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface RequestOptions {
  readonly method: string;
  readonly headers: Record<string, string>;
}

/** HTTP requests with deadlines, for stores whose libraries have none. It does not retry. */
export class HttpClient {
  readonly deadlines: HttpDeadlines;
  /** Also used by libraries that send requests themselves. */
  readonly agents: ProxyAgents;

  constructor(
    options: { caCertificate?: string | undefined; insecureSkipVerify?: boolean | undefined } = {},
    deadlines: HttpDeadlines = HTTP_DEADLINES,
    proxies?: ProxySettings,
  ) {
    this.deadlines = deadlines;
    const tls = {
      ...(options.caCertificate !== undefined && { ca: options.caCertificate }),
      rejectUnauthorized: !options.insecureSkipVerify,
    };
    const connections = { ...KEPT_CONNECTIONS, maxFreeSockets: MAX_IDLE };
    this.agents = new ProxyAgents(connections, { tls, ...deadlines }, proxies);
  }

  /** Resolves with the headers of the response. Its body must be read or dropped. */
  send(wanted: HttpRequest): Promise<HttpResponse> {
    const { method, url, headers = {}, body = [], signal } = wanted;
    const { connectMs, idleMs } = this.deadlines;
    return new Promise((resolve, reject) => {
      throwIfAborted(signal);
      const length = body.reduce((sum, { length }) => sum + length, 0);
      const sized = length > 0 || method === "PUT" || method === "POST";
      const options = {
        method,
        headers: { ...headers, ...(sized && { "content-length": String(length) }) },
      };
      const forwarding = this.agents.forwarding(url);
      const { secure, request } = this.#request(url, options, forwarding);
      const end = (error: Error) => {
        request.destroy(error);
        // Without a socket the request emits the error only when it gets one.
        fail(error);
      };
      const late = (ms: number) => end(new TimeoutError(ms));
      const connecting = setTimeout(late, connectMs, connectMs);
      const interrupt = () => end(new InterruptedError());
      signal?.addEventListener("abort", interrupt, { once: true });
      const settle = () => {
        clearTimeout(connecting);
        signal?.removeEventListener("abort", interrupt);
      };
      const fail = (error: Error) => {
        settle();
        reject(forwarding === undefined ? error : forwardingError(forwarding.proxy, error));
      };
      request.on("socket", (socket) => {
        const connected = () => {
          clearTimeout(connecting);
          request.setTimeout(idleMs, () => late(idleMs));
        };
        if (!socket.connecting) connected();
        else socket.once(secure ? "secureConnect" : "connect", connected);
      });
      request.on("error", fail);
      request.on("response", (response) => {
        settle();
        const { statusCode = 0 } = response;
        if (forwarding !== undefined && statusCode === 407) {
          request.destroy();
          return reject(rejectedByProxy(forwarding.proxy, statusCode, url.host));
        }
        // From here on `bodyPieces` checks for silence.
        request.setTimeout(0);
        resolve(new HttpResponse(response, idleMs, signal));
      });
      for (const piece of body) request.write(piece);
      request.end();
    });
  }

  close(): void {
    this.agents.destroy();
  }

  #request(url: URL, options: RequestOptions, forwarding: Forwarding | undefined) {
    if (forwarding === undefined) {
      const secure = url.protocol === "https:";
      const { http, https } = this.agents;
      const request = secure
        ? requestHttps(url, { ...options, agent: https })
        : requestHttp(url, { ...options, agent: http });
      return { secure, request };
    }
    const { protocol, hostname, port, agent } = forwarding;
    const path = `${forwarding.origin}${url.pathname}${url.search}`;
    const headers = { ...options.headers, ...forwarding.headers };
    const secure = protocol === "https:";
    const through = { ...options, agent, protocol, hostname, port, path, headers };
    return { secure, request: secure ? requestHttps(through) : requestHttp(through) };
  }
}

export class HttpResponse {
  readonly status: number;
  readonly #response: IncomingMessage;
  readonly #idleMs: number;
  readonly #signal: AbortSignal | undefined;
  #context: CallContext | undefined;

  constructor(response: IncomingMessage, idleMs: number, signal: AbortSignal | undefined) {
    this.status = response.statusCode ?? 0;
    this.#response = response;
    this.#idleMs = idleMs;
    this.#signal = signal;
    // An error between two reads of the body has no other listener.
    response.on("error", () => {});
  }

  /** Makes errors of the body StoreErrors with this context. */
  about(context: CallContext): this {
    this.#context = context;
    return this;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  /** @param name in lower case */
  header(name: string): string | undefined {
    const value = this.#response.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  /** The body in pieces. Throws ECONNRESET if it ends before its Content-Length. */
  async *pieces(): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* bodyPieces(this.#response, { idleMs: this.#idleMs, signal: this.#signal });
    } catch (error) {
      throw this.#context === undefined ? error : bodyError(error, this.#context);
    }
  }

  async text(): Promise<string> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const piece of this.pieces()) {
      length += piece.length;
      if (length > MAX_TEXT_BYTES) throw this.#failure(new Error("the response is too long"));
      pieces.push(piece);
    }
    return Buffer.concat(pieces).toString();
  }

  /** The parsed JSON body. The caller checks its shape. */
  async json(): Promise<unknown> {
    const text = await this.text();
    try {
      return JSON.parse(text);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** Reads the rest of a short body, so that the connection can be used again. */
  async drop(): Promise<void> {
    for await (const _ of this.pieces());
  }

  #failure(error: unknown): unknown {
    return this.#context === undefined ? error : callError(error, this.#context);
  }
}
