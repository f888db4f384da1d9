import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A proxy that can silently drop its connections, as a firewall does, or end them. */
export class ForgettingProxy {
  readonly #server: Server;
  /** Connections that are not dropped. */
  readonly #open = new Set<Socket>();
  readonly #all = new Set<Socket>();
  /** Number of all connections. */
  connections = 0;
  /** Bytes from clients on connections that are not dropped. */
  sent = 0;
  /** Drop new connections at once. */
  forgetsNew = false;
  /** Ends new connections at once. */
  #isCut = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param target `host:port` */
  static async start(target: string): Promise<ForgettingProxy> {
    const server = createServer();
    const proxy = new ForgettingProxy(server);
    const [host = "", port = ""] = target.split(":");
    server.on("connection", (client) => {
      proxy.connections++;
      proxy.#all.add(client);
      client.on("error", () => {});
      if (proxy.#isCut) client.destroy();
      if (proxy.forgetsNew || proxy.#isCut) return;
      const upstream = connect(Number(port), host);
      proxy.#all.add(upstream);
      upstream.on("error", () => {});
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        proxy.#open.add(from);
        from.on("data", (bytes) => {
          if (!proxy.#open.has(from)) return;
          if (from === client) proxy.sent += bytes.length;
          to.write(bytes);
        });
        from.on("close", () => {
          if (proxy.#open.delete(from)) to.destroy();
        });
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get endpoint(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Drops the existing connections; new ones work. */
  forget(): void {
    this.#open.clear();
  }

  /** Ends the existing connections, and new ones until `mend`. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#all) socket.destroy();
    this.#all.clear();
  }

  mend(): void {
    this.#isCut = false;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#all) socket.destroy();
  }
}
