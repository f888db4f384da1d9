import { Storage } from "@google-cloud/storage";
import { BackupToolError, InterruptedError, throwIfAborted } from "../../errors.js";
import type { GcsConfig } from "../config.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { type HttpAnswer, HttpClient } from "../http/client.js";
import { callError, refusalError } from "../http/failure.js";

/** Where the SDK goes when no variable tells it otherwise. */
const GOOGLES = "https://storage.googleapis.com";

export interface GcsCall {
  readonly method: string;
  readonly url: URL;
  /** For messages. */
  readonly key: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Uint8Array[];
  readonly signal?: AbortSignal | undefined;
  /** Statuses that are no failure to the caller, beside 2xx. */
  readonly expected?: readonly number[];
}

/**
 * Calls of the JSON API. The SDK says who we are and where the API is; its own calls know neither
 * AbortSignal nor deadlines, and its uploads choose their chunks themselves.
 */
export class GcsApi {
  readonly store: string;
  readonly endpoint: string;
  readonly #bucket: string;
  readonly #storage: Storage;
  readonly #anonymous: boolean;
  readonly #hint: string = "check the key file, or give one";
  readonly #http = new HttpClient();

  constructor(config: GcsConfig, store: string) {
    this.store = store;
    this.#bucket = config.container;
    const { apart } = config;
    const endpoint = config.endpoint ?? (apart && GOOGLES);
    this.#storage = new Storage({
      ...(endpoint !== undefined && { apiEndpoint: endpoint }),
      ...(config.credentials !== undefined && { credentials: { ...config.credentials } }),
      retryOptions: { autoRetry: false },
    });
    if (apart !== undefined) {
      const { authClient } = this.#storage;
      authClient._tryGetApplicationCredentialsFromEnvironmentVariable = async () => null;
      this.#hint = `set ${apart.variable} to a key file, or check the one that it names`;
    }
    this.endpoint = this.#storage.apiEndpoint.replace(/\/+$/, "");
    // STORAGE_EMULATOR_HOST, as all of Google's SDKs know it, is an emulator's.
    const emulator = endpoint === undefined && this.#storage.customEndpoint;
    this.#anonymous = config.anonymous ?? (emulator && config.credentials === undefined);
  }

  /** Of the bucket's objects, or of one of them. */
  url(name?: string, query: Readonly<Record<string, string>> = {}): URL {
    return this.#urlOf("/storage/v1", name, query);
  }

  uploadUrl(query: Readonly<Record<string, string>>): URL {
    return this.#urlOf("/upload/storage/v1", undefined, query);
  }

  /** @throws StoreError, InterruptedError */
  async call(wanted: GcsCall): Promise<HttpAnswer> {
    const { expected = [], key, signal } = wanted;
    const context = { store: this.store, key, signal };
    try {
      throwIfAborted(signal);
      const headers = { ...wanted.headers, ...(await this.#authorization(wanted.url, signal)) };
      const answer = await this.#http.send({ ...wanted, headers });
      if (answer.ok || expected.includes(answer.status)) return answer;
      const { words, reason } = toldBy(await answer.text());
      const { status } = answer;
      const retryAfter = answer.header("retry-after");
      const code = codeOf(status, reason, words);
      throw refusalError({ status, retryAfter, words, code }, context);
    } catch (error) {
      throw callError(error, context);
    }
  }

  error(code: StoreErrorCode, message: string): StoreError {
    return new StoreError(code, message, { store: this.store });
  }

  close(): void {
    this.#http.close();
  }

  #urlOf(api: string, name: string | undefined, query: Readonly<Record<string, string>>): URL {
    const object = name === undefined ? "" : `/${encodeURIComponent(name)}`;
    const url = new URL(`${this.endpoint}${api}/b/${encodeURIComponent(this.#bucket)}/o${object}`);
    url.search = new URLSearchParams(query).toString();
    return url;
  }

  async #authorization(
    url: URL,
    signal: AbortSignal | undefined,
  ): Promise<Readonly<Record<string, string>>> {
    if (this.#anonymous) return {};
    try {
      const asked = this.#storage.authClient.getRequestHeaders(url.href);
      return { ...(await beforeAbort(asked, this.#http.deadlines.idleMs, signal)) };
    } catch (error) {
      if (error instanceof BackupToolError) throw error;
      const transient = callError(error, { store: this.store, key: "", signal });
      if (transient instanceof StoreError && transient.retryable) throw transient;
      throw new StoreError("STORE_CREDENTIALS", "no access token could be had", {
        store: this.store,
        // The library's message may quote the key file.
        hint: this.#hint,
      });
    }
  }
}

/** The library has no way to end a call: it goes on, and nobody waits for it. */
async function beforeAbort<T>(
  call: Promise<T>,
  lateMs: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let interrupt = () => {};
  const ended = new Promise<never>((_, reject) => {
    const late = Object.assign(new Error("no access token in time"), { code: "ETIMEDOUT" });
    timer = setTimeout(reject, lateMs, late);
    interrupt = () => reject(new InterruptedError());
    signal?.addEventListener("abort", interrupt, { once: true });
  });
  try {
    return await Promise.race([call, ended]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", interrupt);
  }
}

/** https://cloud.google.com/storage/docs/json_api/v1/status-codes */
function codeOf(status: number, reason: string, words: string): StoreErrorCode | undefined {
  if (status === 403 && /retention|hold/i.test(`${reason} ${words}`)) return "STORE_IMMUTABLE";
  if (/rateLimitExceeded/i.test(reason)) return "STORE_THROTTLED";
  if (reason === "quotaExceeded") return "STORE_FULL";
  // Of what was sent, other bytes came.
  if (status === 400 && /(md5|crc32c|hash)/i.test(words)) return "STORE_TRANSIENT";
  return undefined;
}

/** What an answer says went wrong: JSON from the API, plain text of uploads. */
function toldBy(text: string): { words: string; reason: string } {
  try {
    const { error } = JSON.parse(text);
    return {
      words: String(error?.message ?? ""),
      reason: String(error?.errors?.[0]?.reason ?? ""),
    };
  } catch {
    return { words: text.replace(/<[^>]*>/g, " "), reason: "" };
  }
}
