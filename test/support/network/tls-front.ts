import { readFileSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { createServer, type Server } from "node:tls";
import type { Certificate } from "./certificates.js";

/** A TLS proxy in front of a server without TLS. */
export class TlsFront {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(target: string, { cert, key }: Certificate): Promise<TlsFront> {
    const { hostname, port } = new URL(target);
    const files = { cert: readFileSync(cert), key: readFileSync(key) };
    const server = createServer(files, (outside) => {
      const inside = connect(Number(port), hostname);
      outside.pipe(inside).pipe(outside);
      outside.on("error", () => inside.destroy());
      inside.on("error", () => outside.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new TlsFront(server);
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Accepts no more connections; existing ones end with their clients. */
  close(): void {
    this.#server.close();
  }
}
