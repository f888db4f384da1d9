import { Storage } from "@google-cloud/storage";
import { BackupToolError, throwIfAborted } from "../../errors.js";
import type { GcsConfig } from "../config.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { TimeoutError, withDeadline } from "../../flow/deadline.js";
import { HTTP_DEADLINES, type HttpAnswer, HttpClient, type HttpDeadlines } from "../http/client.js";
import { callError } from "../http/failure.js";
import { isOfProxy } from "../proxy/failure.js";
import { GcsAccess, ignoreCredentialsVariable } from "./access.js";
import { gcsFailure } from "./failure.js";

/** The SDK's default endpoint. */
const GOOGLES = "https://storage.googleapis.com";
const GOOGLES_TOKENS = new URL("https://oauth2.googleapis.com");

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
 * Calls of the JSON API on one bucket. The SDK supplies authorization and the endpoint alone: its own calls take
 * neither AbortSignal nor deadlines, and its uploads choose their chunks themselves.
 */
export class GcsBucket {
  readonly store: string;
  readonly endpoint: string;
  readonly #name: string;
  readonly #newStorage: () => Storage;
  #access: GcsAccess;
  readonly #anonymous: boolean;
  readonly #hint: string = "check the key file, or give one";
  readonly #http: HttpClient;
  #proxiesChecked = false;

  /** @param deadlines how long to wait for a token, beside the calls themselves */
  constructor(config: GcsConfig, store: string, deadlines: HttpDeadlines = HTTP_DEADLINES) {
    this.store = store;
    this.#name = config.container;
    this.#http = new HttpClient({}, deadlines);
    const { apart } = config;
    const endpoint = config.endpoint ?? (apart && GOOGLES);
    this.#newStorage = () => {
      const storage = new Storage({
        ...(endpoint !== undefined && { apiEndpoint: endpoint }),
        ...(config.credentials !== undefined && { credentials: { ...config.credentials } }),
        retryOptions: { autoRetry: false },
      });
      if (apart !== undefined) ignoreCredentialsVariable(storage.authClient);
      return storage;
    };
    const storage = this.#newStorage();
    this.#access = new GcsAccess(storage.authClient, this.#http.agents);
    if (apart !== undefined) {
      this.#hint = `set ${apart.variable} to a key file, or check the one that it names`;
    }
    this.endpoint = storage.apiEndpoint.replace(/\/+$/, "");
    // STORAGE_EMULATOR_HOST, as all of Google's SDKs know it, is an emulator's.
    const emulator = endpoint === undefined && storage.customEndpoint;
    this.#anonymous = config.anonymous ?? (emulator && config.credentials === undefined);
  }

  /** Of the bucket's objects, or of one of them. */
  url(name?: string, query: Readonly<Record<string, string>> = {}): URL {
    return this.#urlOf("/storage/v1", name, query);
  }

  uploadUrl(query: Readonly<Record<string, string>>): URL {
    return this.#urlOf("/upload/storage/v1", undefined, query);
  }

  /** Throws StoreError and InterruptedError alone, and so does its answer. */
  async call(wanted: GcsCall): Promise<HttpAnswer> {
    const { expected = [], key, signal } = wanted;
    const context = { store: this.store, key, signal };
    try {
      throwIfAborted(signal);
      const headers = { ...wanted.headers, ...(await this.#authorization(wanted.url, signal)) };
      const answer = await this.#http.send({ ...wanted, headers });
      if (answer.ok || expected.includes(answer.status)) return answer.about(context);
      throw await gcsFailure(answer, context);
    } catch (error) {
      throw callError(error, context);
    }
  }

  error(code: StoreErrorCode, message: string): StoreError {
    return new StoreError(code, message, { store: this.store });
  }

  close(): void {
    this.#access.end();
    this.#http.close();
  }

  #urlOf(api: string, name: string | undefined, query: Readonly<Record<string, string>>): URL {
    const object = name === undefined ? "" : `/${encodeURIComponent(name)}`;
    const url = new URL(`${this.endpoint}${api}/b/${encodeURIComponent(this.#name)}/o${object}`);
    url.search = new URLSearchParams(query).toString();
    return url;
  }

  async #authorization(
    url: URL,
    signal: AbortSignal | undefined,
  ): Promise<Readonly<Record<string, string>>> {
    if (this.#anonymous) return {};
    this.#checkProxies(url);
    const access = this.#access;
    try {
      // An aborted caller stops waiting; the call goes on for the others that share it.
      return await withDeadline(this.#http.deadlines.idleMs, signal, () => access.headers(url));
    } catch (error) {
      if (error instanceof TimeoutError) this.#replace(access, error);
      if (error instanceof BackupToolError) throw error;
      const transient = callError(error, { store: this.store, key: "access token", signal });
      if (transient instanceof StoreError && (transient.retryable || isOfProxy(error))) {
        throw transient;
      }
      throw new StoreError("STORE_CREDENTIALS", "no access token could be had", {
        store: this.store,
        // The library's message may quote the key file.
        hint: this.#hint,
      });
    }
  }

  /** Rejects a wrong variable of a proxy, once: the library would report it as a failure of the key. */
  #checkProxies(url: URL): void {
    if (this.#proxiesChecked) return;
    for (const called of [url, GOOGLES_TOKENS]) this.#http.agents.forwarding(called);
    this.#proxiesChecked = true;
  }

  /** Ends a call for a token that hangs: the library would hand it to all that ask again. */
  #replace(access: GcsAccess, reason: TimeoutError): void {
    access.end(reason);
    if (this.#access !== access) return;
    this.#access = new GcsAccess(this.#newStorage().authClient, this.#http.agents);
  }
}
