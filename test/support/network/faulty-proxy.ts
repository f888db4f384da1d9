import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { Transform } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { SeededChoice } from "../seeded-choice.js";

/** A fault of a request or its response. */
export type Fault =
  /** The connection ends before the server receives the request. */
  | { readonly kind: "drop" }
  /** The server executes the request, and the response is lost. */
  | { readonly kind: "lose-answer" }
  /** There is no response. */
  | { readonly kind: "hang" }
  | {
      readonly kind: "status";
      readonly status: number;
      readonly retryAfter?: string;
      readonly body?: string;
    }
  | { readonly kind: "slow"; readonly ms: number }
  /** The connection ends after this many bytes of the body. */
  | { readonly kind: "cut-request" | "cut-answer"; readonly after: number }
  /** The body stalls after this many bytes. */
  | { readonly kind: "stall-answer"; readonly after: number }
  /** One bit of the byte at this position is flipped; in responses only for objects. */
  | { readonly kind: "spoil-request" | "spoil-answer"; readonly at: number }
  /** A listing has its first response again. */
  | { readonly kind: "stale-listing" };

export interface Asked {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  /** Number of earlier requests with this method and URL. */
  readonly nth: number;
}

/** Chooses the fault of a request. */
export type Plan = (asked: Asked) => Fault | undefined;

export const FAULT_KINDS = [
  "drop",
  "lose-answer",
  "status",
  "slow",
  "cut-request",
  "cut-answer",
  "spoil-request",
  "stale-listing",
] as const;

/**
 * Faults by seed: the n-th repetition of a request has the same fault in every run.
 * @param rate of requests with a fault, from 0 to 1
 */
export function seededPlan(
  seed: string,
  rate: number,
  kinds: readonly Fault["kind"][] = FAULT_KINDS,
): Plan {
  return ({ method, url, nth }) => {
    const choice = new SeededChoice(`${seed} ${method} ${url} ${nth}`);
    if (choice.below(1_000_000) >= rate * 1_000_000) return undefined;
    const kind = choice.of(kinds);
    switch (kind) {
      case "status":
        return choice.below(2) === 0
          ? { kind, status: 500 }
          : { kind, status: 503, retryAfter: String(choice.below(2)) };
      case "slow":
        return { kind, ms: choice.below(300) };
      case "cut-request":
      case "cut-answer":
      case "stall-answer":
        return { kind, after: choice.below(2 ** choice.below(22)) };
      case "spoil-request":
      case "spoil-answer":
        return { kind, at: choice.below(2 ** choice.below(22)) };
      default:
        return { kind };
    }
  };
}

/** Idle connections stay open: one that closes while it is being reused would be an unplanned fault. */
export const ALWAYS_OPEN = { keepAliveTimeout: 0 };

/** An HTTP proxy in front of a real server, which injects faults. */
export class FaultyProxy {
  plan: Plan = () => undefined;
  /** All requests, with their faults. */
  readonly log: (Asked & { readonly fault: Fault | undefined })[] = [];
  /** Maximum of concurrent requests. */
  most = 0;
  readonly #server: Server;
  readonly #target: URL;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #counts = new Map<string, number>();
  readonly #listings = new Map<string, { status: number; headers: string[]; body: Buffer }>();
  #underWay = 0;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer(ALWAYS_OPEN, (request, answer) => {
      void this.#handle(request, answer);
    });
  }

  static async start(target: string, plan?: Plan): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(target);
    if (plan !== undefined) proxy.plan = plan;
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = "GET", url = "/", headers } = request;
    const nth = this.#counts.get(`${method} ${url}`) ?? 0;
    this.#counts.set(`${method} ${url}`, nth + 1);
    const asked = { method, url, headers, nth };
    const fault = this.plan(asked);
    this.log.push({ ...asked, fault });
    this.most = Math.max(this.most, ++this.#underWay);
    answer.on("close", () => this.#underWay--);
    // The other side may close at any moment.
    request.on("error", () => {});
    answer.on("error", () => {});
    switch (fault?.kind) {
      case "drop":
        request.socket.destroy();
        return;
      case "hang":
        return;
      case "status":
        request.resume();
        answer.writeHead(fault.status, {
          ...(fault.retryAfter !== undefined && { "retry-after": fault.retryAfter }),
          connection: "close",
        });
        answer.end(fault.body ?? "");
        return;
      case "stale-listing":
        if (this.#answerAsBefore(url, answer)) return;
        break;
      case "slow":
        await sleep(fault.ms);
        break;
    }
    this.#forward(request, answer, fault);
  }

  #forward(request: IncomingMessage, answer: ServerResponse, fault: Fault | undefined): void {
    const { method = "GET", url = "/", socket } = request;
    const { expect: _, ...headers } = request.headers;
    const forwarded = httpRequest(
      {
        host: this.#target.hostname,
        port: this.#target.port,
        agent: this.#agent,
        method,
        path: url,
        headers,
      },
      (back) => {
        back.on("error", () => socket.destroy());
        if (fault?.kind === "lose-answer") {
          back.resume().on("end", () => socket.destroy());
          return;
        }
        answer.writeHead(back.statusCode ?? 502, back.rawHeaders);
        if (isListing(method, url)) this.#remember(url, back);
        const data = method === "GET" && !back.headers["content-type"]?.includes("xml");
        let out: NodeJS.ReadableStream = back;
        if (fault?.kind === "cut-answer") out = back.pipe(cut(fault.after, () => socket.destroy()));
        if (fault?.kind === "stall-answer") out = back.pipe(cut(fault.after, () => {}));
        if (fault?.kind === "spoil-answer" && data) out = back.pipe(spoil(fault.at));
        out.pipe(answer);
      },
    );
    forwarded.on("error", () => socket.destroy());
    answer.on("close", () => {
      if (!answer.writableFinished) forwarded.destroy();
    });
    let body: NodeJS.ReadableStream = request;
    if (fault?.kind === "cut-request") {
      body = request.pipe(
        cut(fault.after, () => {
          forwarded.destroy();
          socket.destroy();
        }),
      );
    }
    if (fault?.kind === "spoil-request") body = request.pipe(spoil(fault.at));
    body.pipe(forwarded);
  }

  #remember(url: string, back: IncomingMessage): void {
    if (this.#listings.has(url)) return;
    const pieces: Buffer[] = [];
    back.on("data", (piece: Buffer) => pieces.push(piece));
    back.on("end", () => {
      const { statusCode: status = 0, rawHeaders: headers } = back;
      if (status === 200) this.#listings.set(url, { status, headers, body: Buffer.concat(pieces) });
    });
  }

  #answerAsBefore(url: string, answer: ServerResponse): boolean {
    const listing = this.#listings.get(url);
    if (listing === undefined) return false;
    answer.writeHead(listing.status, listing.headers);
    answer.end(listing.body);
    return true;
  }
}

function isListing(method: string, url: string): boolean {
  return method === "GET" && /[?&](list-type|prefix)=/.test(url);
}

/** Passes this many bytes, then calls `end` and drops the rest. */
function cut(after: number, end: () => void): Transform {
  let left = after;
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      if (left > piece.length) {
        left -= piece.length;
        done(null, piece);
        return;
      }
      this.push(piece.subarray(0, left));
      // The passed bytes are sent before the connection ends.
      setTimeout(end, 5);
    },
  });
}

function spoil(at: number): Transform {
  let passed = 0;
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      const index = at - passed;
      passed += piece.length;
      if (index < 0 || index >= piece.length) {
        done(null, piece);
        return;
      }
      const wrong = Buffer.from(piece);
      wrong[index] = (wrong[index] as number) ^ 1;
      done(null, wrong);
    },
  });
}
