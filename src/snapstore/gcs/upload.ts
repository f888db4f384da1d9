import { createHash } from "node:crypto";
import type { StoreError } from "../errors.js";
import type { HttpAnswer } from "../http/client.js";
import { PartedUpload, type PartedUploadOptions } from "../parts/parted-upload.js";
import type { UploadFacts, UploadOptions } from "../store.js";
import type { GcsBucket } from "./bucket.js";
import type { ObjectResource } from "./resource.js";

/** Bytes that every request but the last must be a multiple of. */
export const GRANULE = 256 << 10;

/**
 * One resumable session: bytes go one after the other, and the object appears with the last of them.
 * What a short part has beyond whole granules waits for `complete`, which alone knows the size.
 * https://cloud.google.com/storage/docs/performing-resumable-uploads
 */
export class GcsUpload extends PartedUpload<void> {
  readonly #bucket: GcsBucket;
  /** Of the object, with the store's prefix. */
  readonly #name: string;
  /** A secret: its holder may write. It is in no message. */
  readonly #session: URL;
  readonly #md5 = createHash("md5");
  /** Bytes that the server has. */
  #stored = 0;
  #rest: Uint8Array = new Uint8Array(0);
  /** Whether a call failed, and only the server knows how far it came. */
  #unsure = false;

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
    const answer = await bucket.call({
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
    await answer.drop();
    const session = answer.header("location");
    if (session === undefined) throw bucket.error("STORE_TRANSIENT", `${key}: no upload session`);
    return new GcsUpload(bucket, name, new URL(session), { ...options, store: bucket.store, key });
  }

  protected async sendPart(number: number, bytes: Uint8Array, signal: AbortSignal | undefined) {
    const start = number * this.partBytes;
    const whole = bytes.length - (bytes.length % GRANULE);
    if (this.#unsure) await this.#askHowFar(signal);
    while (this.#stored < start + whole) {
      if (this.#stored < start) throw this.#lost();
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
    const done = this.#unsure ? await this.#askHowFar(signal, size) : undefined;
    if (done === undefined && this.#stored < before) throw this.#lost();
    const from = this.#rest.length - (size - this.#stored);
    const rest = this.#rest.subarray(Math.max(0, from));
    const resource = done ?? (await this.#send(rest, size, signal));
    if (resource === undefined) {
      throw this.failure("the server waits for more", "STORE_TRANSIENT");
    }
    await this.#check(resource, size);
  }

  /** A session that is left ends by itself after a week. */
  protected async discardParts(): Promise<void> {
    const expected = [499, 404, 410];
    const call = { method: "DELETE", url: this.#session, key: this.key, expected };
    await (await this.#bucket.call(call)).drop();
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
    const answer = await this.#bucket.call({
      method: "PUT",
      url: this.#session,
      key: this.key,
      headers,
      body: [bytes],
      signal,
      expected: [308, 404, 410],
    });
    if (answer.status === 404 || answer.status === 410) {
      await answer.drop();
      throw this.break(this.failure("the upload session is gone"));
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
    const url = this.#bucket.url(this.#name, query);
    await this.#bucket
      .call({ method: "DELETE", url, key: this.key })
      .then((answer) => answer.drop())
      .catch(() => {});
    throw this.break(this.failure("the store has other bytes than were sent"));
  }

  #lost(): StoreError {
    return this.break(this.failure("the server has lost bytes that it had"));
  }
}
