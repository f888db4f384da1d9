import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { SECURITY_HEADERS } from "./answer-rules.js";
import { HttpProblem } from "./problem.js";

/** What Node's parser and timers say of a request that no route gets to see. */
const PROBLEMS: Readonly<Record<string, readonly [status: number, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, "the headers of the request are too long"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request did not come in time"],
};

/** Answers a request that cannot be read, in the same form as all errors, and ends the connection. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] = PROBLEMS[error.code ?? ""] ?? [400, "the request is not valid HTTP"];
  const body = JSON.stringify(new HttpProblem(status, "BAD_REQUEST", message).body);
  const headers = {
    ...SECURITY_HEADERS,
    "content-type": "application/json; charset=utf-8",
    "content-length": String(Buffer.byteLength(body)),
    connection: "close",
  };
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join("")}\r\n${body}`);
}
