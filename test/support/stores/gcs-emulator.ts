import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ALWAYS_OPEN } from "../network/faulty-proxy.js";

interface Stored {
  readonly bytes: Buffer;
  readonly generation: number;
  readonly updated: string;
  readonly metadata: unknown;
  retentionExpirationTime?: string;
}

interface Session {
  readonly name: string;
  readonly ifGenerationMatch: string | null;
  readonly metadata: unknown;
  bytes: Buffer;
}

class Refused extends Error {
  readonly status: number;
  readonly reason: string;
  constructor(status: number, reason: string, message = reason) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/**
 * Emulates the documented JSON API of Google Cloud Storage, for a bucket `backups`: objects with generations,
 * preconditions, listings, ranges, resumable sessions and digests.
 */
export class GcsEmulator {
  readonly objects = new Map<string, Stored>();
  readonly sessions = new Map<string, Session>();
  /** Received Authorization headers. */
  readonly authorizations = new Set<string>();
  /** Called before each request is served; returns true if it has sent the response. */
  disturb: (question: IncomingMessage, answer: ServerResponse) => boolean = () => false;
  readonly #server: Server;
  #generation = 1_000_000;

  private constructor() {
    this.#server = createServer(ALWAYS_OPEN, (question, answer) => {
      this.#serve(question, answer).catch((error) => {
        const { status = 500, reason = "backendError", message } = error as Partial<Refused>;
        const body = { error: { code: status, message, errors: [{ reason, message }] } };
        answer.writeHead(status, { "content-type": "application/json" });
        answer.end(JSON.stringify(body));
      });
    });
  }

  static async start(): Promise<GcsEmulator> {
    const emulator = new GcsEmulator();
    await new Promise<void>((resolve) => emulator.#server.listen(0, "127.0.0.1", resolve));
    return emulator;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #serve(question: IncomingMessage, answer: ServerResponse): Promise<unknown> {
    if (this.disturb(question, answer)) return undefined;
    this.authorizations.add(question.headers.authorization ?? "");
    const pieces: Uint8Array[] = [];
    for await (const piece of question) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const url = new URL(question.url ?? "", this.url);
    if (url.pathname === "/token") {
      return json(answer, {
        access_token: "emulated-token",
        expires_in: 3600,
        token_type: "Bearer",
      });
    }
    const [, upload, bucket = "", object] =
      /^(\/upload)?\/storage\/v1\/b\/([^/]+)\/o(?:\/(.+))?$/.exec(url.pathname) ?? [];
    if (question.headers.authorization === "Bearer refused") throw new Refused(401, "authError");
    if (bucket !== "backups") {
      throw new Refused(404, "notFound", "The specified bucket does not exist.");
    }
    if (upload !== undefined) return this.#upload(question, answer, url, body);
    if (object === undefined) return json(answer, this.#list(url.searchParams));
    return this.#object(question, answer, decodeURIComponent(object), url.searchParams);
  }

  #object(
    question: IncomingMessage,
    answer: ServerResponse,
    name: string,
    query: URLSearchParams,
  ): unknown {
    const stored = this.objects.get(name);
    if (stored === undefined) throw new Refused(404, "notFound", `No such object: ${name}`);
    this.#precondition(name, query.get("ifGenerationMatch"));
    if (question.method === "DELETE") {
      this.#mayGo(name);
      this.objects.delete(name);
      return answer.writeHead(204).end();
    }
    if (query.get("alt") !== "media") return json(answer, resourceOf(name, stored));
    const { bytes } = stored;
    const [, from = "", to = ""] = /^bytes=(\d+)-(\d*)$/.exec(question.headers.range ?? "") ?? [];
    if (from === "") return answer.writeHead(200, { "content-length": bytes.length }).end(bytes);
    if (Number(from) >= bytes.length) throw new Refused(416, "requestedRangeNotSatisfiable");
    const part = bytes.subarray(Number(from), to === "" ? undefined : Number(to) + 1);
    return answer.writeHead(206, { "content-length": part.length }).end(part);
  }

  #list(query: URLSearchParams): unknown {
    const prefix = query.get("prefix") ?? "";
    const delimiter = query.get("delimiter");
    const after = Buffer.from(query.get("pageToken") ?? "", "base64url").toString();
    const items: unknown[] = [];
    const prefixes: string[] = [];
    let last = "";
    const names = [...this.objects.keys()]
      .filter((name) => name.startsWith(prefix))
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const name of names) {
      const cut = delimiter === null ? -1 : name.indexOf(delimiter, prefix.length);
      const entry = cut === -1 ? name : name.slice(0, cut + 1);
      if (entry === last || Buffer.compare(Buffer.from(entry), Buffer.from(after)) <= 0) continue;
      if (items.length + prefixes.length === Number(query.get("maxResults") ?? 1000)) {
        return { items, prefixes, nextPageToken: Buffer.from(last).toString("base64url") };
      }
      last = entry;
      if (cut === -1) items.push(resourceOf(name, this.objects.get(name) as Stored));
      else prefixes.push(entry);
    }
    return { ...(items.length > 0 && { items }), ...(prefixes.length > 0 && { prefixes }) };
  }

  #upload(question: IncomingMessage, answer: ServerResponse, url: URL, body: Buffer): unknown {
    const query = url.searchParams;
    const id = query.get("upload_id");
    if (id !== null) return this.#resume(question, answer, id, body);
    const ifGenerationMatch = query.get("ifGenerationMatch");
    if (query.get("uploadType") === "resumable") {
      const { name, metadata } = JSON.parse(body.toString());
      this.#precondition(name, ifGenerationMatch);
      const session = randomBytes(16).toString("hex");
      this.sessions.set(session, { name, metadata, ifGenerationMatch, bytes: Buffer.alloc(0) });
      url.searchParams.set("upload_id", session);
      return answer.writeHead(200, { location: url.href }).end();
    }
    const { resource, bytes } = multipart(question.headers["content-type"] ?? "", body);
    return json(answer, this.#store(resource, bytes, ifGenerationMatch));
  }

  #resume(question: IncomingMessage, answer: ServerResponse, id: string, body: Buffer): unknown {
    const session = this.sessions.get(id);
    if (session === undefined) throw new Refused(404, "notFound", "no such session");
    if (question.method === "DELETE") {
      this.sessions.delete(id);
      return answer.writeHead(499).end();
    }
    const range = question.headers["content-range"] ?? "";
    const [, from, , total = ""] = /^bytes (?:\*|(\d+)-(\d+))\/(\*|\d+)$/.exec(range) ?? [];
    if (total === "") throw new Refused(400, "invalid", `Content-Range: ${range}`);
    if (from !== undefined) {
      if (Number(from) !== session.bytes.length) throw new Refused(400, "invalid", "out of turn");
      if (total === "*" && body.length % (256 << 10) !== 0) {
        throw new Refused(400, "invalid", "a chunk must be a multiple of 256 KiB");
      }
      session.bytes = Buffer.concat([session.bytes, body]);
    }
    if (Number(total) === session.bytes.length) {
      const { name, metadata, bytes } = session;
      const [, md5Hash] = /md5=(.*)/.exec(String(question.headers["x-goog-hash"] ?? "")) ?? [];
      const stored = this.#store({ name, metadata, md5Hash }, bytes, session.ifGenerationMatch);
      this.sessions.delete(id);
      return json(answer, stored);
    }
    const end = session.bytes.length - 1;
    return answer.writeHead(308, end < 0 ? {} : { range: `bytes=0-${end}` }).end();
  }

  #store(
    { name, metadata, md5Hash }: { name: string; metadata?: unknown; md5Hash?: string | undefined },
    bytes: Buffer,
    ifGenerationMatch: string | null,
  ): unknown {
    this.#precondition(name, ifGenerationMatch);
    this.#mayGo(name);
    if (md5Hash !== undefined && md5Hash !== md5(bytes)) {
      throw new Refused(400, "invalid", "Provided MD5 hash does not match the calculated one.");
    }
    const generation = ++this.#generation;
    const stored = { bytes, generation, updated: new Date().toISOString(), metadata };
    this.objects.set(name, stored);
    return resourceOf(name, stored);
  }

  #precondition(name: string, wanted: string | null): void {
    if (wanted === null || wanted === String(this.objects.get(name)?.generation ?? 0)) return;
    throw new Refused(412, "conditionNotMet", "At least one of the pre-conditions did not hold.");
  }

  #mayGo(name: string): void {
    const until = this.objects.get(name)?.retentionExpirationTime;
    if (until === undefined) return;
    throw new Refused(
      403,
      "retentionPolicyNotMet",
      `Object is subject to retention until ${until}`,
    );
  }
}

function resourceOf(name: string, stored: Stored): unknown {
  const { bytes, generation, updated, metadata, retentionExpirationTime } = stored;
  return {
    name,
    updated,
    metadata,
    retentionExpirationTime,
    size: String(bytes.length),
    generation: String(generation),
    md5Hash: md5(bytes),
  };
}

function multipart(type: string, body: Buffer) {
  const boundary = `--${/boundary=(.*)$/.exec(type)?.[1]}`;
  const second = body.indexOf(boundary, boundary.length);
  const resource = body.subarray(body.indexOf("\r\n\r\n") + 4, second - 2);
  const start = body.indexOf("\r\n\r\n", second) + 4;
  const bytes = body.subarray(start, body.lastIndexOf(`\r\n${boundary}--`));
  return { resource: JSON.parse(resource.toString()), bytes };
}

function json(answer: ServerResponse, body: unknown): unknown {
  return answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("base64");
}
