import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Certificate } from "./certificates.js";

/** A web proxy with names that no resolver has: requests to them must have used the proxy. */
export class WebProxy {
  /** `host:port` of each requested tunnel. */
  readonly tunnels: string[] = [];
  /** `METHOD host` of each plain HTTP request. */
  readonly calls: string[] = [];
  /** All connections to the proxy. */
  readonly connections: Socket[] = [];
  /** Status to respond with, instead of a tunnel or a forwarded request. */
  refuses: number | undefined;
  /** Required `user:password`; otherwise the proxy responds with 407. */
  credentials: string | undefined;
  /** Accepts connections, and never responds. */
  hangs = false;
  readonly #server: Server;
  readonly #secure: boolean;
  readonly #names: ReadonlyMap<string, URL>;
  readonly #sockets = new Set<Duplex>();

  private constructor(names: ReadonlyMap<string, URL>, certificate: Certificate | undefined) {
    this.#names = names;
    this.#secure = certificate !== undefined;
    this.#server =
      certificate === undefined
        ? createServer({ keepAliveTimeout: 0 })
        : createSecureServer({
            keepAliveTimeout: 0,
            cert: readFileSync(certificate.cert),
            key: readFileSync(certificate.key),
          });
    const kept = (socket: Duplex) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => socket.destroy());
    };
    this.#server.on("connection", (socket) => this.connections.push(socket));
    this.#server.on(certificate === undefined ? "connection" : "secureConnection", kept);
    this.#server.on("connect", (question: IncomingMessage, socket: Duplex) => {
      const target = question.url ?? "";
      this.tunnels.push(target);
      if (this.hangs) return;
      const status = this.#refusal(question) ?? (this.#names.has(target) ? 200 : 502);
      if (status !== 200) {
        socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`);
        return;
      }
      const { hostname, port } = this.#names.get(target) ?? new URL("http://unknown");
      const inside: Socket = connect(Number(port), hostname);
      kept(inside);
      inside.on("connect", () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        socket.pipe(inside).pipe(socket);
      });
      inside.on("close", () => socket.destroy());
      socket.on("close", () => inside.destroy());
    });
    this.#server.on("checkContinue", (question, answer) => {
      answer.writeContinue();
      this.#server.emit("request", question, answer);
    });
    this.#server.on("request", (question, answer) => {
      const url = new URL(question.url ?? "", "http://not-a-proxy-call");
      this.calls.push(`${question.method} ${url.host}`);
      if (this.hangs) return;
      const target = this.#names.get(url.port === "" ? `${url.host}:80` : url.host);
      const status = this.#refusal(question) ?? (target === undefined ? 502 : 200);
      if (target === undefined || status !== 200) {
        question.resume();
        answer.writeHead(status, { connection: "close" }).end();
        return;
      }
      const { expect: _, "proxy-authorization": __, ...headers } = question.headers;
      const { hostname, port } = target;
      const method = question.method ?? "GET";
      const path = (question.url ?? "").slice(url.origin.length);
      const onward = request({ hostname, port, method, path, headers }, (said) => {
        answer.writeHead(said.statusCode ?? 0, said.headers);
        said.pipe(answer);
      });
      onward.on("error", () => answer.destroy());
      question.pipe(onward);
    });
  }

  /** @param names URLs of the servers by `host:port` of the requests */
  static async start(
    names: Readonly<Record<string, string>>,
    certificate?: Certificate,
  ): Promise<WebProxy> {
    const targets = Object.entries(names).map(([name, url]) => [name, new URL(url)] as const);
    const proxy = new WebProxy(new Map(targets), certificate);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(credentials = ""): string {
    const at = credentials === "" ? "" : `${credentials}@`;
    return `${this.#secure ? "https" : "http"}://${at}127.0.0.1:${this.port}`;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #refusal({ headers }: IncomingMessage): number | undefined {
    if (this.refuses !== undefined || this.credentials === undefined) return this.refuses;
    const wanted = `Basic ${Buffer.from(this.credentials).toString("base64")}`;
    return headers["proxy-authorization"] === wanted ? undefined : 407;
  }
}
