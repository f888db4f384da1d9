import { createServer, type RequestListener, type Server, type ServerOptions } from "node:http";
import { createServer as createSecureServer, Server as SecureServer } from "node:https";
import type { HttpLimits } from "./limits.js";
import type { HttpLog } from "./parts.js";
import type { TlsFiles } from "./tls-files.js";

/** Node's servers behind one HTTP server: one for each address, as `localhost` can have two. */
export class Listeners {
  readonly #limits: HttpLimits;
  readonly #tls: TlsFiles | undefined;
  readonly #servers: Server[] = [];

  constructor(limits: HttpLimits, tls: TlsFiles | undefined, log: HttpLog) {
    this.#limits = limits;
    this.#tls = tls;
    tls?.watch(log, limits.certificateMs, (context) => {
      for (const server of this.#servers) {
        if (server instanceof SecureServer) server.setSecureContext(context);
      }
    });
  }

  /** Undefined until the first server listens. */
  get port(): number | undefined {
    const address = this.#servers[0]?.address();
    return typeof address === "object" ? address?.port : undefined;
  }

  /** A server that is not listening yet. */
  create(handler: RequestListener): Server {
    const { headerBytes, headersMs, requestMs, keepAliveMs, idleMs, connections } = this.#limits;
    const options: ServerOptions = {
      maxHeaderSize: headerBytes,
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: Math.min(1_000, headersMs),
      requireHostHeader: true,
    };
    const server =
      this.#tls === undefined
        ? createServer(options, handler)
        : createSecureServer(
            { ...options, ...this.#tls.context, handshakeTimeout: headersMs },
            handler,
          );
    server.timeout = idleMs;
    server.maxConnections = connections;
    this.#servers.push(server);
    return server;
  }

  /** Ends connections with their requests. */
  closeConnections(): void {
    for (const server of this.#servers) server.closeAllConnections();
  }

  close(): void {
    this.#tls?.close();
  }
}
