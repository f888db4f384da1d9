import { createHmac } from "node:crypto";
import { SettingError, errorMessage } from "../../errors.js";
import { withDeadline } from "../../flow/deadline.js";
import { readInputFile } from "../../files/input-file.js";
import { quoted } from "../../quoted.js";
import { HttpClient } from "../../snapstore/http/client.js";
import { AlertError, type AlertMessage } from "./message.js";

export interface WebhookOptions {
  /** May contain a secret: no message has more than its origin. */
  readonly url: string;
  /** File with the secret that signs the bodies, read for each: it may be replaced. */
  readonly secretFile?: string | undefined;
}

/** Header with the hex HMAC-SHA-256 of the body, after `sha256=`. */
export const SIGNATURE_HEADER = "x-backuptool-signature";

/** One try takes no longer, ms. */
const TRY_MS = 30_000;
const DEADLINES = { connectMs: 10_000, idleMs: 20_000 };
/** The body of an answer says nothing: no more of it is read. */
const MAX_ANSWER_BYTES = 64 << 10;
/** Answers that a changed configuration of the receiver, or time, can correct. */
const RETRIED = new Set([401, 403, 404, 408, 425, 429]);

/** Posts messages as JSON. */
export class Webhook {
  readonly #url: URL;
  readonly #secretFile: string | undefined;
  readonly #client = new HttpClient({}, DEADLINES);

  /** @throws SettingError for a URL that is none */
  constructor({ url, secretFile }: WebhookOptions) {
    if (!URL.canParse(url)) throw new SettingError("alert-webhook", "is not a URL");
    this.#url = new URL(url);
    this.#secretFile = secretFile;
  }

  /** For messages. */
  get name(): string {
    return `webhook ${this.#url.origin}`;
  }

  /** One try. Throws AlertError, InterruptedError. */
  async send(message: AlertMessage, signal: AbortSignal): Promise<void> {
    const body = Buffer.from(JSON.stringify(message));
    const headers = {
      "content-type": "application/json",
      "user-agent": "backuptool",
      ...(await this.#signature(body, signal)),
    };
    let status: number;
    try {
      status = await withDeadline(TRY_MS, signal, (signal) => this.#post(body, headers, signal));
    } catch (error) {
      if (signal.aborted) throw error;
      const why = errorMessage(error);
      throw new AlertError(`the alert webhook was not reached: ${why}`, true, error);
    }
    if (status >= 200 && status < 300) return;
    const retryable = status >= 500 || RETRIED.has(status);
    throw new AlertError(`the alert webhook answered with status ${status}`, retryable);
  }

  close(): void {
    this.#client.close();
  }

  async #post(
    body: Buffer,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<number> {
    const wanted = { method: "POST", url: this.#url, headers, body: [body], signal };
    const response = await this.#client.send(wanted);
    let read = 0;
    for await (const piece of response.pieces()) {
      read += piece.length;
      if (read > MAX_ANSWER_BYTES) break;
    }
    return response.status;
  }

  async #signature(body: Buffer, signal: AbortSignal): Promise<Record<string, string>> {
    const secretFile = this.#secretFile;
    if (secretFile === undefined) return {};
    let secret: string;
    try {
      secret = (await readInputFile(secretFile, signal)).toString("utf8").trim();
    } catch (error) {
      if (signal.aborted) throw error;
      const why = errorMessage(error);
      throw new AlertError(`the secret of the alert webhook cannot be read: ${why}`, true, error);
    }
    if (secret === "") {
      throw new AlertError(`${quoted(secretFile)}, the secret of the webhook, is empty`, true);
    }
    const digest = createHmac("sha256", secret).update(body).digest("hex");
    return { [SIGNATURE_HEADER]: `sha256=${digest}` };
  }
}
