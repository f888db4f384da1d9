import { Storage } from "@google-cloud/storage";
import { BackupToolError, throwIfAborted } from "../../errors.js";
import type { GcsConfig } from "../config.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { TimeoutError, withDeadline } from "../../flow/deadline.js";
import {
  HTTP_DEADLINES,
  type HttpResponse,
  HttpClient,
  type HttpDeadlines,
} from "../http/client.js";
import { callError } from "../http/failure.js";
import { isProxyError } from "../proxy/failure.js";
import { GcsAccess, ignoreCredentialsVariable } from "./access.js";
import { gcsFailure } from "./failure.js";

/** The SDK's default endpoint. */
const GOOGLE_ENDPOINT = "https://storage.googleapis.com";
const GOOGLE_TOKEN_ENDPOINT = new URL("https://oauth2.googleapis.com");

export interface GcsCall {
  readonly method: string;
  readonly url: URL;
  /** For messages. */
  readonly key: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Uint8Array[];
  readonly signal?: AbortSignal | undefined;
  /** Statuses beside 2xx that the caller handles. */
  readonly expected?: readonly number[];
}

/**
 * Calls of the JSON API to one bucket. The SDK only provides authorization and the endpoint: its own calls support
 * neither AbortSignal nor deadlines, and its uploads choose the size of their chunks.
 */
export class GcsBucket {
  readonly store: string;
  readonly endpoint: string;
  readonly #name: string;
  readonly #newStorage: () => Storage;
  #access: GcsAccess;
  readonly #anonymous: boolean;
  readonly #hint: string = "check the key file, or set one";
  readonly #http: HttpClient;
  #proxiesChecked = false;

  /** @param deadlines also of the wait for a token */
  constructor(config: GcsConfig, store: string, deadlines: HttpDeadlines = HTTP_DEADLINES) {
    this.store = store;
    this.#name = config.container;
    this.#http = new HttpClient({}, deadlines);
    const { isolated } = config;
    const endpoint = config.endpoint ?? (isolated && GOOGLE_ENDPOINT);
    this.#newStorage = () => {
      const storage = new Storage({
        ...(endpoint !== undefined && { apiEndpoint: endpoint }),
        ...(config.credentials !== undefined && { credentials: { ...config.credentials } }),
        retryOptions: { autoRetry: false },
      });
      if (isolated !== undefined) ignoreCredentialsVariable(storage.authClient);
      return storage;
    };
    const storage = this.#newStorage();
    this.#access = new GcsAccess(storage.authClient, this.#http.agents);
    if (isolated !== undefined) {
      this.#hint = `set ${isolated.variable} to a key file, or check that file`;
    }
    this.endpoint = storage.apiEndpoint.replace(/\/+$/, "");
    // Set by STORAGE_EMULATOR_HOST, which all of Google's SDKs support.
    const emulator = endpoint === undefined && storage.customEndpoint;
    this.#anonymous = config.anonymous ?? (emulator && config.credentials === undefined);
  }

  /** URL of an object, or of all objects. */
  url(name?: string, query: Readonly<Record<string, string>> = {}): URL {
    return this.#urlOf("/storage/v1", name, query);
  }

  uploadUrl(query: Readonly<Record<string, string>>): URL {
    return this.#urlOf("/upload/storage/v1", undefined, query);
  }

  /** The response too throws only StoreError and InterruptedError. */
  async call(wanted: GcsCall): Promise<HttpResponse> {
    const { expected = [], key, signal } = wanted;
    const context = { store: this.store, key, signal };
    try {
      throwIfAborted(signal);
      const headers = { ...wanted.headers, ...(await this.#authorization(wanted.url, signal)) };
      const response = await this.#http.send({ ...wanted, headers });
      if (response.ok || expected.includes(response.status)) return response.about(context);
      throw await gcsFailure(response, context);
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
      if (transient instanceof StoreError && (transient.retryable || isProxyError(error))) {
        throw transient;
      }
      throw new StoreError("STORE_CREDENTIALS", "cannot get an access token", {
        store: this.store,
        // The library's message may quote the key file.
        hint: this.#hint,
      });
    }
  }

  /** Rejects an invalid proxy variable, once: the library would report it as a failure of the key. */
  #checkProxies(url: URL): void {
    if (this.#proxiesChecked) return;
    for (const target of [url, GOOGLE_TOKEN_ENDPOINT]) this.#http.agents.forwarding(target);
    this.#proxiesChecked = true;
  }

  /** Aborts a token request that hangs: the library would return the same one to all later callers. */
  #replace(access: GcsAccess, reason: TimeoutError): void {
    access.end(reason);
    if (this.#access !== access) return;
    this.#access = new GcsAccess(this.#newStorage().authClient, this.#http.agents);
  }
}
