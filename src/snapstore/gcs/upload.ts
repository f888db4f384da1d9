import { createHash } from "node:crypto";
import type { StoreError } from "../errors.js";
import type { HttpResponse } from "../http/client.js";
import { PartedUpload, type PartedUploadOptions } from "../parts/parted-upload.js";
import type { UploadFacts, UploadOptions } from "../store.js";
import type { GcsBucket } from "./bucket.js";
import type { ObjectResource } from "./resource.js";

/** Every request but the last must have a multiple of this many bytes. */
export const GRANULE = 256 << 10;

/**
 * A resumable upload session: bytes are sent in order, and the object appears with the last request. The bytes of a
 * short part beyond a multiple of {@link GRANULE} wait for `complete`, which has the size of the object.
 * https://cloud.google.com/storage/docs/performing-resumable-uploads
 */
export class GcsUpload extends PartedUpload<void> {
  readonly #bucket: GcsBucket;
  /** Name of the object, with the prefix of the store. */
  readonly #name: string;
  /** A secret: it authorizes writes. No message contains it. */
  readonly #session: URL;
  readonly #md5 = createHash("md5");
  /** Bytes that the server has confirmed. */
  #stored = 0;
  #rest: Uint8Array = new Uint8Array(0);
  /** Whether a call failed, so that `#stored` must be requested from the server. */
  #unconfirmed = false;

  private constructor(bucket: GcsBucket, name: string, session: URL, options: PartedUploadOptions) {
    super(options, "in-order");
    this.#bucket = bucket;
    this.#name = name;
    this.#session = session;
  }

  static async start(
    bucket: GcsBucket,
    { key, name }: { key: string; name: string },
    options: UploadOptions,
  ): Promise<GcsUpload> {
    const { ifAbsent, partBytes, signal } = options;
    if (partBytes % GRANULE !== 0) {
      throw bucket.error("STORE_FAILED", `parts must be multiples of ${GRANULE} bytes`);
    }
    const response = await bucket.call({
      method: "POST",
      url: bucket.uploadUrl({
        uploadType: "resumable",
        ...(ifAbsent && { ifGenerationMatch: "0" }),
      }),
      key,
      headers: {
        "content-type": "application/json",
        "x-upload-content-type": "application/octet-stream",
      },
      body: [Buffer.from(JSON.stringify({ name }))],
      signal,
    });
    await response.drop();
    const session = response.header("location");
    if (session === undefined) throw bucket.error("STORE_TRANSIENT", `${key}: no upload session`);
    return new GcsUpload(bucket, name, new URL(session), { ...options, store: bucket.store, key });
  }

  protected async sendPart(number: number, bytes: Uint8Array, signal: AbortSignal | undefined) {
    const start = number * this.partBytes;
    const whole = bytes.length - (bytes.length % GRANULE);
    if (this.#unconfirmed) await this.#queryStored(signal);
    while (this.#stored < start + whole) {
      if (this.#stored < start) throw this.#lostBytes();
      await this.#send(bytes.subarray(this.#stored - start, whole), undefined, signal);
    }
    this.#md5.update(bytes);
    this.#rest = Uint8Array.from(bytes.subarray(whole));
  }

  protected async joinParts(
    _: readonly unknown[],
    { size }: UploadFacts,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const before = this.#stored;
    const done = this.#unconfirmed ? await this.#queryStored(signal, size) : undefined;
    if (done === undefined && this.#stored < before) throw this.#lostBytes();
    const from = this.#rest.length - (size - this.#stored);
    const rest = this.#rest.subarray(Math.max(0, from));
    const resource = done ?? (await this.#send(rest, size, signal));
    if (resource === undefined) {
      throw this.failure("the server expects more bytes", "STORE_TRANSIENT");
    }
    await this.#check(resource, size);
  }

  protected async discardParts(): Promise<void> {
    const expected = [499, 404, 410];
    const call = { method: "DELETE", url: this.#session, key: this.key, expected };
    await (await this.#bucket.call(call)).drop();
  }

  /** @param total size of the object, with its last bytes */
  async #send(
    bytes: Uint8Array,
    total: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<ObjectResource | undefined> {
    const range = bytes.length === 0 ? "*" : `${this.#stored}-${this.#stored + bytes.length - 1}`;
    const md5 = this.#md5.copy().digest("base64");
    return await this.#put(
      {
        "content-range": `bytes ${range}/${total ?? "*"}`,
        ...(total !== undefined && { "x-goog-hash": `md5=${md5}` }),
      },
      bytes,
      signal,
    );
  }

  /** Requests how many bytes the server has, or the object if it is complete. */
  async #queryStored(
    signal: AbortSignal | undefined,
    total?: number,
  ): Promise<ObjectResource | undefined> {
    const headers = { "content-range": `bytes */${total ?? "*"}` };
    return await this.#put(headers, new Uint8Array(0), signal);
  }

  async #put(
    headers: Readonly<Record<string, string>>,
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<ObjectResource | undefined> {
    this.#unconfirmed = true;
    const response = await this.#bucket.call({
      method: "PUT",
      url: this.#session,
      key: this.key,
      headers,
      body: [bytes],
      signal,
      expected: [308, 404, 410],
    });
    if (response.status === 404 || response.status === 410) {
      await response.drop();
      throw this.break(this.failure("the upload session has expired"));
    }
    const resource = await this.#parse(response);
    this.#unconfirmed = false;
    return resource;
  }

  async #parse(response: HttpResponse): Promise<ObjectResource | undefined> {
    if (response.status !== 308) return (await response.json()) as ObjectResource;
    await response.drop();
    const [, last] = /-(\d+)$/.exec(response.header("range") ?? "") ?? [];
    this.#stored = last === undefined ? 0 : Number(last) + 1;
    return undefined;
  }

  /** Verifies size and MD5: older servers ignore the digest that is sent with the last bytes. */
  async #check({ size, md5Hash, generation }: ObjectResource, wanted: number): Promise<void> {
    const md5 = this.#md5.copy().digest("base64");
    if (Number(size) === wanted && (md5Hash === undefined || md5Hash === md5)) return;
    const query = generation === undefined ? {} : { ifGenerationMatch: generation };
    const url = this.#bucket.url(this.#name, query);
    await this.#bucket
      .call({ method: "DELETE", url, key: this.key })
      .then((response) => response.drop())
      .catch(() => {});
    throw this.break(this.failure("the object on the server differs from what was sent"));
  }

  #lostBytes(): StoreError {
    return this.break(this.failure("the server lost bytes that it had confirmed"));
  }
}
