import { throwIfAborted } from "../../errors.js";
import type { SwiftConfig } from "../config.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { type HttpResponse, HttpClient } from "../http/client.js";
import { callError, responseError } from "../http/failure.js";
import type { StoredObject } from "../store.js";
import { SharedCall } from "./shared-call.js";
import { newToken, type SwiftToken } from "./token.js";

export interface SwiftCall {
  readonly method: string;
  /** Name of the object; empty for the container. */
  readonly name: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Uint8Array[];
  readonly signal?: AbortSignal | undefined;
  /** Statuses beside 2xx that the caller handles. */
  readonly expected?: readonly number[];
}

export interface SwiftObject extends StoredObject {
  /** Id of the upload whose segments it consists of. */
  readonly segments: string | undefined;
}

/** Calls to one container, with a token that is renewed when it has expired. */
export class SwiftContainer {
  readonly store: string;
  readonly name: string;
  readonly #http: HttpClient;
  readonly #prefix: string;
  readonly #token: SharedCall<SwiftToken>;
  readonly #supportsSlo: SharedCall<boolean>;

  constructor(config: SwiftConfig, store: string) {
    this.#http = new HttpClient(config);
    this.#token = new SharedCall(store, (signal) => newToken(this.#http, config, store, signal));
    this.#supportsSlo = new SharedCall(store, (signal) => this.#fetchSloSupport(signal));
    this.store = store;
    this.name = config.container;
    this.#prefix = config.prefix === "" ? "" : `${config.prefix}/`;
  }

  /** The object name of a key or prefix. */
  nameOf(key: string): string {
    return this.#prefix + key;
  }

  keyOf(name: string): string {
    return name.slice(this.#prefix.length);
  }

  /** @throws StoreError, InterruptedError */
  async call(wanted: SwiftCall): Promise<HttpResponse> {
    const { name, signal, expected = [] } = wanted;
    const key = name.startsWith(this.#prefix) ? this.keyOf(name) : name;
    const context = { store: this.store, key, signal };
    try {
      const response = await this.#send(wanted);
      if (response.ok || expected.includes(response.status)) return response.about(context);
      // The body is empty after HEAD, and may be an HTML page.
      const detail = (await response.text()).replace(/<[^>]*>/g, " ");
      const { status } = response;
      const code = CODES[status];
      const retryAfter = response.header("retry-after");
      throw responseError({ status, retryAfter, detail, code }, context);
    } catch (error) {
      throw callError(error, context);
    }
  }

  error(code: StoreErrorCode, message: string): StoreError {
    return new StoreError(code, message, { store: this.store });
  }

  async head(key: string, signal: AbortSignal | undefined): Promise<SwiftObject | undefined> {
    const name = this.nameOf(key);
    const response = await this.call({ method: "HEAD", name, signal, expected: [404] });
    await response.drop();
    if (response.status !== 404) {
      const size = Number(response.header("content-length"));
      if (isFolderMark(response.header("content-type"), size)) return undefined;
      return {
        key,
        size,
        modified: new Date(response.header("last-modified") ?? 0),
        tag: plainTag(response.header("etag")),
        sha256: response.header("x-object-meta-sha256"),
        segments: response.header("x-object-meta-segments"),
      };
    }
    // The container may be missing: that has the same response.
    const container = await this.call({ method: "HEAD", name: "", signal });
    await container.drop();
    return undefined;
  }

  /** Whether the server supports static large objects (SLO), by its `/info`. */
  async supportsSlo(signal: AbortSignal | undefined): Promise<boolean> {
    try {
      return await this.#supportsSlo.result(signal);
    } catch (error) {
      throw callError(error, { store: this.store, key: "", signal });
    }
  }

  close(): void {
    this.#http.close();
  }

  async #fetchSloSupport(signal: AbortSignal): Promise<boolean> {
    const { storageUrl } = await this.#token.result(signal);
    const url = new URL("info", storageUrl.replace(/v1(\/[^/]*)?$/, ""));
    const response = await this.#http.send({ method: "GET", url, signal });
    const text = await response.text();
    // A server error does not mean that they are not supported.
    if (response.status >= 500) throw this.error("STORE_TRANSIENT", `/info: ${response.status}`);
    return response.ok && "slo" in JSON.parse(text);
  }

  async #send(wanted: SwiftCall): Promise<HttpResponse> {
    const { method, name, query = {}, headers = {}, body, signal } = wanted;
    for (let attempt = 0; ; attempt++) {
      throwIfAborted(signal);
      const { pending } = this.#token;
      const { token, storageUrl } = await this.#token.result(signal);
      const path = [this.name, ...(name === "" ? [] : name.split("/"))].map(encodeURIComponent);
      const url = new URL(`${storageUrl}/${path.join("/")}`);
      url.search = new URLSearchParams(query).toString();
      const all = { ...headers, "x-auth-token": token };
      const response = await this.#http.send({ method, url, headers: all, body, signal });
      // A new token has not expired: the credentials are wrong.
      if (response.status !== 401 || attempt > 0 || pending === undefined) return response;
      await response.drop();
      // A concurrent call may have requested a new token already.
      this.#token.forget(pending);
    }
  }
}

/** Statuses with a meaning of their own in Swift. */
const CODES: Readonly<Record<number, StoreErrorCode>> = {
  // The ETag of the request does not match the bytes.
  422: "STORE_TRANSIENT",
  // The storage nodes disagree, mostly about the time.
  409: "STORE_TRANSIENT",
};

/** Older servers quote the ETag of large objects only. */
export function plainTag(tag: string | undefined): string | undefined {
  return tag?.replace(/^"(.*)"$/, "$1");
}

/** Whether an object is the marker of a folder, which older tools for Swift create under its name. */
export function isFolderMark(type: string | undefined, bytes: number | undefined): boolean {
  return type?.split(";", 1)[0] === "application/directory" && bytes === 0;
}
