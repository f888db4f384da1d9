import { BackupToolError, InterruptedError, SettingError, errorMessage } from "../../errors.js";
import { withDeadline } from "../../flow/deadline.js";
import { HttpClient, type HttpResponse } from "../../snapstore/http/client.js";
import { isStatusReport } from "./decode-report.js";
import type { StatusReport } from "./report.js";

interface ServerStatusOptions {
  /** `http://127.0.0.1:8080`. */
  readonly url: string;
  /** PEM of the CA that signed the server's certificate. */
  readonly caCertificate?: string | undefined;
}

const ANSWER_MS = 30_000;
const DEADLINES = { connectMs: 10_000, idleMs: 20_000 };
/** Many times a status with two timelines of 200 snapshots. */
const MAX_BYTES = 8 << 20;

/** The status that a server gives. @throws SettingError, BackupToolError `SERVER_UNREACHABLE`, `SERVER_FAILED` */
export async function statusOfServer(
  options: ServerStatusOptions,
  signal: AbortSignal,
): Promise<StatusReport> {
  const url = statusUrl(options.url);
  const client = new HttpClient({ caCertificate: options.caCertificate }, DEADLINES);
  try {
    const { status, body } = await withDeadline(ANSWER_MS, signal, async (signal) => {
      const response = await client.send({ method: "GET", url, signal });
      return { status: response.status, body: await bodyOf(response) };
    });
    if (status !== 200) throw failed(url, `answered with status ${status}`);
    const report = parsed(body);
    if (!isStatusReport(report)) throw failed(url, "did not answer with the status of a server");
    return report;
  } catch (error) {
    if (error instanceof BackupToolError || error instanceof InterruptedError) throw error;
    const why = errorMessage(error);
    throw new BackupToolError("SERVER_UNREACHABLE", `${url.origin} was not reached: ${why}`, {
      cause: error,
      hint: "check that the server runs, and its host and port",
      settings: ["server"],
    });
  } finally {
    client.close();
  }
}

function statusUrl(given: string): URL {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new SettingError("server", "is not a URL with http:// or https://");
  }
  return new URL("status", url.href.replace(/\/*$/, "/"));
}

async function bodyOf(response: HttpResponse): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.pieces()) {
    bytes += piece.length;
    if (bytes > MAX_BYTES) throw new Error(`the answer is longer than ${MAX_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function failed(url: URL, why: string): BackupToolError {
  return new BackupToolError("SERVER_FAILED", `${url.origin} ${why}`, {
    hint: "check that it is the URL of a backuptool server",
    settings: ["server"],
  });
}
