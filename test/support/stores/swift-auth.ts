import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { env } from "../program/backuptool.js";
import { ALWAYS_OPEN } from "../network/faulty-proxy.js";

/** A token of radosgw's own (v1) auth server. */
export async function radosgwToken(): Promise<{ token: string; storageUrl: string }> {
  const headers = { "X-Auth-User": env("SWIFT_USER"), "X-Auth-Key": env("SWIFT_KEY") };
  const answer = await fetch(env("SWIFT_AUTH"), { headers });
  const token = answer.headers.get("x-auth-token") ?? "";
  return { token, storageUrl: answer.headers.get("x-storage-url") ?? "" };
}

/** A new container on radosgw. */
export async function newSwiftContainer(name: string): Promise<void> {
  const { token, storageUrl } = await radosgwToken();
  const headers = { "X-Auth-Token": token };
  const answer = await fetch(`${storageUrl}/${name}`, { method: "PUT", headers });
  if (!answer.ok) throw new Error(`a container: ${answer.status}`);
}

/**
 * Emulates Keystone's `auth/tokens` for one user and one application credential. Its catalog has this server, which
 * forwards to radosgw; its `/info` has no static large objects.
 */
export class Keystone {
  readonly password = "keystone-password";
  readonly secret = "keystone-secret";
  /** Bodies of token requests. */
  readonly asked: unknown[] = [];
  /** Expired tokens. */
  readonly expired = new Set<string>();
  readonly #server: Server;
  #count = 0;

  private constructor() {
    this.#server = createServer(ALWAYS_OPEN, async (question, answer) => {
      if (question.url === "/v3/auth/tokens") {
        const pieces: Uint8Array[] = [];
        for await (const piece of question) pieces.push(piece);
        const body = JSON.parse(Buffer.concat(pieces).toString());
        this.asked.push(body);
        const { identity } = body.auth;
        const known =
          identity.password?.user.password === this.password ||
          identity.application_credential?.secret === this.secret;
        if (!known) return answer.writeHead(401).end("{}");
        const url = `${this.url}/swift/v1`;
        const endpoints = [
          { interface: "internal", region_id: "here", url: "http://127.0.0.1:1/" },
          { interface: "public", region_id: "there", url: "http://127.0.0.1:1/" },
          { interface: "public", region_id: "here", url },
        ];
        const catalog = [
          { type: "identity", endpoints: [] },
          { type: "object-store", endpoints },
        ];
        answer.writeHead(201, { "X-Subject-Token": `token-${++this.#count}` });
        return answer.end(JSON.stringify({ token: { catalog } }));
      }
      if (question.url === "/swift/info") return answer.end('{"swift":{}}');
      const token = String(question.headers["x-auth-token"]);
      if (!token.startsWith("token-") || this.expired.has(token)) {
        return answer.writeHead(401).end();
      }
      const real = await radosgwToken();
      let isWhole = (): boolean => false;
      const onward = request(
        `${new URL(real.storageUrl).origin}${question.url}`,
        {
          method: question.method ?? "",
          headers: { ...question.headers, "x-auth-token": real.token },
        },
        (said) => {
          // radosgw 16 sends a byte too many with a range of a dynamic large object: ignore errors after the
          // announced length.
          isWhole = () => said.complete;
          answer.writeHead(said.statusCode ?? 0, said.headers);
          said.pipe(answer);
        },
      );
      onward.on("error", () => isWhole() || answer.destroy());
      return question.pipe(onward);
    });
  }

  static async start(): Promise<Keystone> {
    const keystone = new Keystone();
    await new Promise<void>((resolve) => keystone.#server.listen(0, "127.0.0.1", resolve));
    return keystone;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
