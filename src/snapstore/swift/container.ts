import { throwIfAborted } from "../../errors.js";
import type { SwiftConfig } from "../config.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { type HttpAnswer, HttpClient } from "../http/client.js";
import { callError, refusalError } from "../http/failure.js";
import type { StoredObject } from "../store.js";
import { isFolderMark } from "./folder-mark.js";
import { SharedCall } from "./shared-call.js";
import { newToken, type SwiftToken } from "./token.js";

export interface SwiftCall {
  readonly method: string;
  /** Of an object; empty for the container. */
  readonly name: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Uint8Array[];
  readonly signal?: AbortSignal | undefined;
  /** Statuses that are no failure to the caller, beside 2xx. */
  readonly expected?: readonly number[];
}

/** An object, and what only this store needs to know of it. */
export interface SwiftObject extends StoredObject {
  /** Where the segments are that it is made of. */
  readonly segments: string | undefined;
}

/** Calls on one container, with a token that is renewed when the server no longer takes it. */
export class SwiftContainer {
  readonly store: string;
  readonly name: string;
  readonly #http: HttpClient;
  readonly #below: string;
  readonly #token: SharedCall<SwiftToken>;
  readonly #segmentLists: SharedCall<boolean>;

  constructor(config: SwiftConfig, store: string) {
    this.#http = new HttpClient(config);
    this.#token = new SharedCall(store, (signal) => newToken(this.#http, config, store, signal));
    this.#segmentLists = new SharedCall(store, (signal) => this.#askForSegmentLists(signal));
    this.store = store;
    this.name = config.container;
    this.#below = config.prefix === "" ? "" : `${config.prefix}/`;
  }

  /** The name of a key's object, or a prefix of names. */
  nameOf(key: string): string {
    return this.#below + key;
  }

  keyOf(name: string): string {
    return name.slice(this.#below.length);
  }

  /** @throws StoreError, InterruptedError */
  async call(wanted: SwiftCall): Promise<HttpAnswer> {
    const { name, signal, expected = [] } = wanted;
    const key = name.startsWith(this.#below) ? this.keyOf(name) : name;
    const context = { store: this.store, key, signal };
    try {
      const answer = await this.#send(wanted);
      if (answer.ok || expected.includes(answer.status)) return answer.about(context);
      const words = wanted.method === "HEAD" ? "" : await answer.text();
      if (wanted.method === "HEAD") await answer.drop();
      const { status } = answer;
      const code = CODES[status];
      const retryAfter = answer.header("retry-after");
      throw refusalError({ status, retryAfter, words: plain(words), code }, context);
    } catch (error) {
      throw callError(error, context);
    }
  }

  error(code: StoreErrorCode, message: string): StoreError {
    return new StoreError(code, message, { store: this.store });
  }

  async head(key: string, signal: AbortSignal | undefined): Promise<SwiftObject | undefined> {
    const name = this.nameOf(key);
    const answer = await this.call({ method: "HEAD", name, signal, expected: [404] });
    await answer.drop();
    if (answer.status !== 404) {
      const size = Number(answer.header("content-length"));
      if (isFolderMark(answer.header("content-type"), size)) return undefined;
      return {
        key,
        size,
        modified: new Date(answer.header("last-modified") ?? 0),
        tag: plainTag(answer.header("etag")),
        sha256: answer.header("x-object-meta-sha256"),
        segments: answer.header("x-object-meta-segments"),
      };
    }
    // The same answer as for a container that is not there.
    const container = await this.call({ method: "HEAD", name: "", signal });
    await container.drop();
    return undefined;
  }

  async refuseExisting(key: string, signal: AbortSignal | undefined): Promise<void> {
    if ((await this.head(key, signal)) === undefined) return;
    throw this.error("STORE_EXISTS", `${key}: exists already`);
  }

  /** Whether the server makes one object of a list of segments (SLO), by its `/info`. */
  async segmentLists(signal: AbortSignal | undefined): Promise<boolean> {
    try {
      return await this.#segmentLists.answer(signal);
    } catch (error) {
      throw callError(error, { store: this.store, key: "", signal });
    }
  }

  close(): void {
    this.#http.close();
  }

  async #askForSegmentLists(signal: AbortSignal): Promise<boolean> {
    const { storageUrl } = await this.#token.answer(signal);
    const url = new URL("info", storageUrl.replace(/v1(\/[^/]*)?$/, ""));
    const answer = await this.#http.send({ method: "GET", url, signal });
    const text = await answer.text();
    // A server that is not well does not say that it has none.
    if (answer.status >= 500) throw this.error("STORE_TRANSIENT", `/info: ${answer.status}`);
    return answer.ok && "slo" in JSON.parse(text);
  }

  async #send(wanted: SwiftCall): Promise<HttpAnswer> {
    const { method, name, query = {}, headers = {}, body, signal } = wanted;
    for (let attempt = 0; ; attempt++) {
      throwIfAborted(signal);
      const { asked } = this.#token;
      const { token, storageUrl } = await this.#token.answer(signal);
      const path = [this.name, ...(name === "" ? [] : name.split("/"))].map(encodeURIComponent);
      const url = new URL(`${storageUrl}/${path.join("/")}`);
      url.search = new URLSearchParams(query).toString();
      const all = { ...headers, "x-auth-token": token };
      const answer = await this.#http.send({ method, url, headers: all, body, signal });
      // A new token that is refused is no matter of age.
      if (answer.status !== 401 || attempt > 0 || asked === undefined) return answer;
      await answer.drop();
      // Others that failed with the same token may have asked for a new one already.
      this.#token.forget(asked);
    }
  }
}

/** Where Swift means something of its own by a status. */
const CODES: Readonly<Record<number, StoreErrorCode>> = {
  // The ETag that was sent along does not fit the bytes.
  422: "STORE_TRANSIENT",
  // Swift's storage nodes disagree, mostly about the time.
  409: "STORE_TRANSIENT",
};

/** Older servers put quotes around it for large objects alone. */
export function plainTag(tag: string | undefined): string | undefined {
  return tag?.replace(/^"(.*)"$/, "$1");
}

/** Some refusals are pages for a browser. */
function plain(words: string): string {
  return words.replace(/<[^>]*>/g, " ");
}
