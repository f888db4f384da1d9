import { type IncomingHttpHeaders, request } from "node:http";
import { request as secureRequest } from "node:https";
import type { TLSSocket } from "node:tls";
import type { ExecutionContext } from "ava";
import { HttpServer } from "../../../src/server/http/http-server.js";
import type { HttpLimits } from "../../../src/server/http/limits.js";
import type { HttpLog } from "../../../src/server/http/parts.js";
import type { HttpOptions } from "../../../src/settings/server-options.js";
import { Metrics } from "../../../src/server/metrics.js";
import type { ServerStatus } from "../../../src/server/status.js";
import { InMemoryServer } from "./in-memory-server.js";
import { healthyStatus } from "./sample-status.js";

/** Everything that was logged, in one text. */
export class RecordedLog implements HttpLog {
  text = "";

  info(fields: object, message: string): void {
    this.#add("info", fields, message);
  }

  warn(fields: object, message: string): void {
    this.#add("warn", fields, message);
  }

  error(fields: object, message: string): void {
    this.#add("error", fields, message);
  }

  #add(level: string, fields: object, message: string): void {
    const stack = "err" in fields && fields.err instanceof Error ? fields.err.stack : "";
    this.text += `${level} ${message} ${JSON.stringify(fields)}${stack}\n`;
  }
}

export interface TestServer {
  readonly core: InMemoryServer;
  readonly http: HttpServer;
  readonly log: RecordedLog;
}

/** An HTTP server on a free port of 127.0.0.1, until the test ends. */
export async function openHttp(
  t: ExecutionContext,
  { limits, ...options }: Partial<HttpOptions> & { readonly limits?: Partial<HttpLimits> } = {},
  status: ServerStatus = healthyStatus(),
): Promise<TestServer> {
  const core = new InMemoryServer(status);
  const log = new RecordedLog();
  const http = await HttpServer.open(
    {
      host: "127.0.0.1",
      port: 0,
      url: undefined,
      tls: undefined,
      tokenFile: undefined,
      ...options,
    },
    { state: core, actions: core, metrics: new Metrics(core, "0.1.0"), log },
    limits,
  );
  t.teardown(() => http.close());
  return { core, http, log };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Of the server, with TLS. */
  readonly fingerprint: string | undefined;
}

export interface Call {
  readonly method?: string;
  /** Also such as fetch would not send: Host, Origin. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** PEM, for TLS. */
  readonly ca?: Buffer;
}

/** One request on a connection of its own. */
export async function call(
  base: string,
  path: string,
  { body, ...options }: Call = {},
): Promise<Answer> {
  const send = base.startsWith("https:") ? secureRequest : request;
  return await new Promise((resolve, reject) => {
    const sent = send(new URL(path, base), { ...options, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      const fingerprint =
        "getPeerCertificate" in answer.socket ? fingerprintOf(answer.socket) : undefined;
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () => {
        const { statusCode = 0, headers } = answer;
        const text = Buffer.concat(chunks).toString();
        resolve({ status: statusCode, headers, body: text, fingerprint });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function fingerprintOf(socket: unknown): string {
  return (socket as TLSSocket).getPeerCertificate().fingerprint256;
}

/** The JSON of an answer. */
export function json(answer: Answer): Record<string, unknown> {
  return JSON.parse(answer.body);
}
