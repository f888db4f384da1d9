import { createHash } from "node:crypto";
import { throwIfAborted } from "../../errors.js";
import { StoreError } from "../errors.js";
import type { HttpAnswer } from "../http/client.js";
import type { StoreUpload, UploadOptions } from "../store.js";
import type { GcsApi } from "./api.js";
import type { ObjectResource } from "./resource.js";

/** Bytes that every request but the last must be a multiple of. */
export const GRANULE = 256 << 10;

/**
 * One resumable session: bytes go one after the other, and the object appears with the last of them.
 * What a short part has beyond whole granules waits for `complete`, which alone knows the size.
 * https://cloud.google.com/storage/docs/performing-resumable-uploads
 */
export class GcsUpload implements StoreUpload {
  readonly #api: GcsApi;
  readonly #key: string;
  readonly #name: string;
  /** Whoever knows it may write, so it is in no message. */
  readonly #session: URL;
  readonly #partBytes: number;
  readonly #md5 = createHash("md5");
  /** Parts that are done. */
  #parts = 0;
  /** Bytes of these. */
  #length = 0;
  /** Bytes that the server has. */
  #stored = 0;
  #rest: Uint8Array = new Uint8Array(0);
  /** Whether a call failed, and only the server knows how far it came. */
  #unsure = false;
  #state: "open" | "complete" | "aborted" | StoreError = "open";

  private constructor(api: GcsApi, at: { key: string; name: string }, session: URL, part: number) {
    this.#api = api;
    this.#key = at.key;
    this.#name = at.name;
    this.#session = session;
    this.#partBytes = part;
  }

  static async start(
    api: GcsApi,
    at: { key: string; name: string },
    options: UploadOptions,
  ): Promise<GcsUpload> {
    const { ifAbsent, partBytes, signal } = options;
    if (partBytes % GRANULE !== 0) {
      throw api.error("STORE_FAILED", `parts must be multiples of ${GRANULE} bytes`);
    }
    const answer = await api.call({
      method: "POST",
      url: api.uploadUrl({
        uploadType: "resumable",
        ...(ifAbsent && { ifGenerationMatch: "0" }),
      }),
      key: at.key,
      headers: {
        "content-type": "application/json",
        "x-upload-content-type": "application/octet-stream",
      },
      body: [Buffer.from(JSON.stringify({ name: at.name }))],
      signal,
    });
    await answer.drop();
    const session = answer.header("location");
    if (session === undefined) throw api.error("STORE_TRANSIENT", `${at.key}: no upload session`);
    return new GcsUpload(api, at, new URL(session), partBytes);
  }

  async part(number: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    this.#mustBeOpen();
    if (number < this.#parts) return;
    const short = this.#length < this.#parts * this.#partBytes;
    if (number > this.#parts || bytes.length > this.#partBytes || short) {
      throw this.#api.error("STORE_FAILED", `${this.#key}: part ${number} is out of turn`);
    }
    const start = number * this.#partBytes;
    const whole = bytes.length - (bytes.length % GRANULE);
    if (this.#unsure) await this.#askHowFar(signal);
    while (this.#stored < start + whole) {
      if (this.#stored < start) {
        throw this.#fail("the server has lost bytes that it had");
      }
      await this.#send(bytes.subarray(this.#stored - start, whole), undefined, signal);
    }
    this.#md5.update(bytes);
    this.#rest = Uint8Array.from(bytes.subarray(whole));
    this.#parts++;
    this.#length += bytes.length;
  }

  async complete(
    facts: { parts: number; size: number; sha256: string },
    signal?: AbortSignal,
  ): Promise<void> {
    throwIfAborted(signal);
    if (this.#state === "complete") return;
    this.#mustBeOpen();
    if (this.#parts !== facts.parts || this.#length !== facts.size) {
      throw this.#api.error("STORE_FAILED", `${this.#key}: parts are missing or not whole`);
    }
    const before = this.#stored;
    const done = this.#unsure ? await this.#askHowFar(signal, facts.size) : undefined;
    if (done === undefined && this.#stored < before) {
      throw this.#fail("the server has lost bytes that it had");
    }
    const from = this.#rest.length - (facts.size - this.#stored);
    const rest = this.#rest.subarray(Math.max(0, from));
    const resource = done ?? (await this.#send(rest, facts.size, signal));
    if (resource === undefined) {
      throw this.#api.error("STORE_TRANSIENT", `${this.#key}: the server waits for more`);
    }
    await this.#check(resource, facts.size);
    this.#state = "complete";
  }

  async abort(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "aborted";
    const call = {
      method: "DELETE",
      url: this.#session,
      key: this.#key,
      expected: [499, 404, 410],
    };
    // A session that stays ends by itself after a week.
    await this.#api
      .call(call)
      .then((answer) => answer.drop())
      .catch(() => {});
  }

  /** @param total of the object, when these are its last bytes */
  async #send(
    bytes: Uint8Array,
    total: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<ObjectResource | undefined> {
    const range = bytes.length === 0 ? "*" : `${this.#stored}-${this.#stored + bytes.length - 1}`;
    const md5 = this.#md5.copy().digest("base64");
    return await this.#ask(
      {
        "content-range": `bytes ${range}/${total ?? "*"}`,
        ...(total !== undefined && { "x-goog-hash": `md5=${md5}` }),
      },
      bytes,
      signal,
    );
  }

  /** Learns how many bytes the server has, or that it has the object. */
  async #askHowFar(
    signal: AbortSignal | undefined,
    total?: number,
  ): Promise<ObjectResource | undefined> {
    const headers = { "content-range": `bytes */${total ?? "*"}` };
    return await this.#ask(headers, new Uint8Array(0), signal);
  }

  async #ask(
    headers: Readonly<Record<string, string>>,
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<ObjectResource | undefined> {
    this.#unsure = true;
    const answer = await this.#api.call({
      method: "PUT",
      url: this.#session,
      key: this.#key,
      headers,
      body: [bytes],
      signal,
      expected: [308, 404, 410],
    });
    if (answer.status === 404 || answer.status === 410) {
      await answer.drop();
      throw this.#fail("the upload session is gone");
    }
    const resource = await this.#understand(answer);
    this.#unsure = false;
    return resource;
  }

  async #understand(answer: HttpAnswer): Promise<ObjectResource | undefined> {
    if (answer.status !== 308) return (await answer.json()) as ObjectResource;
    await answer.drop();
    const [, last] = /-(\d+)$/.exec(answer.header("range") ?? "") ?? [];
    this.#stored = last === undefined ? 0 : Number(last) + 1;
    return undefined;
  }

  /** Older servers do not look at the digest that came with the last bytes. */
  async #check({ size, md5Hash, generation }: ObjectResource, wanted: number): Promise<void> {
    const md5 = this.#md5.copy().digest("base64");
    if (Number(size) === wanted && (md5Hash === undefined || md5Hash === md5)) return;
    const query = generation === undefined ? {} : { ifGenerationMatch: generation };
    const url = this.#api.url(this.#name, query);
    await this.#api
      .call({ method: "DELETE", url, key: this.#key })
      .then((answer) => answer.drop())
      .catch(() => {});
    throw this.#fail("the store has other bytes than were sent");
  }

  /** Another call would end the same way; the upload must begin anew. */
  #fail(what: string): StoreError {
    const error = this.#api.error("STORE_FAILED", `${this.#key}: ${what}`);
    this.#state = error;
    return error;
  }

  #mustBeOpen(): void {
    if (this.#state === "open") return;
    if (this.#state instanceof StoreError) throw this.#state;
    throw this.#api.error("STORE_FAILED", `${this.#key}: the upload is over`);
  }
}
