import { createHash, randomBytes } from "node:crypto";
import type { GcsConfig } from "../config.js";
import { RANGE_STATUSES, rangeHeader, rangePieces } from "../http/range.js";
import { checkKey, checkPrefix } from "../key.js";
import { checkExists } from "../object-checks.js";
import type {
  GetOptions,
  ListOptions,
  ListPage,
  PutOptions,
  SnapStore,
  StoreCapabilities,
  StoredObject,
  StoreUpload,
  UploadOptions,
} from "../store.js";
import { GcsBucket } from "./bucket.js";
import { FIELDS, type ObjectResource, storedObject } from "./resource.js";
import { GcsUpload, GRANULE } from "./upload.js";

/** Maximum number of entries in a page. */
const PAGE = 1000;

interface ListResource {
  readonly items?: readonly ObjectResource[];
  readonly prefixes?: readonly string[];
  readonly nextPageToken?: string;
}

/** A bucket of Google Cloud Storage. */
export class GcsStore implements SnapStore {
  readonly name: string;
  readonly place: string;
  readonly capabilities: StoreCapabilities = {
    parallelParts: false,
    atomicIfAbsent: true,
    minPartBytes: GRANULE,
    maxPartBytes: 2 ** 32,
    maxParts: 2 ** 24,
    locks: "listing",
  };
  readonly #bucket: GcsBucket;
  readonly #prefix: string;

  constructor(config: GcsConfig) {
    const { container, prefix } = config;
    this.name = `gs://${container}${prefix === "" ? "" : `/${prefix}`}`;
    this.#bucket = new GcsBucket(config, this.name);
    this.place = `gs://${new URL(this.#bucket.endpoint).host}/${container}/${prefix}`;
    this.#prefix = prefix === "" ? "" : `${prefix}/`;
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    checkKey(this.name, key);
    const boundary = randomBytes(24).toString("hex");
    const md5Hash = createHash("md5").update(bytes).digest("base64");
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const resource = JSON.stringify({ name: this.#prefix + key, md5Hash, metadata: { sha256 } });
    const head = `--${boundary}\r\ncontent-type: application/json\r\n\r\n${resource}\r\n--${boundary}\r\ncontent-type: application/octet-stream\r\n\r\n`;
    const response = await this.#bucket.call({
      method: "POST",
      url: this.#bucket.uploadUrl({
        uploadType: "multipart",
        ...(options.ifAbsent && { ifGenerationMatch: "0" }),
      }),
      key,
      headers: { "content-type": `multipart/related; boundary=${boundary}` },
      body: [Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)],
      signal: options.signal,
    });
    await response.drop();
  }

  async startUpload(key: string, options: UploadOptions): Promise<StoreUpload> {
    checkKey(this.name, key);
    if (options.ifAbsent && (await this.head(key, options.signal)) !== undefined) {
      throw this.#bucket.error("STORE_EXISTS", `${key}: exists already`);
    }
    return await GcsUpload.start(this.#bucket, { key, name: this.#prefix + key }, options);
  }

  async *get(key: string, options: GetOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    checkKey(this.name, key);
    const { length, ifTag, signal } = options;
    if (length === 0) return await checkExists(this, key, signal);
    const response = await this.#bucket.call({
      method: "GET",
      url: this.#bucket.url(this.#prefix + key, {
        alt: "media",
        ...(ifTag !== undefined && { ifGenerationMatch: ifTag }),
      }),
      key,
      headers: rangeHeader(options),
      signal,
      expected: RANGE_STATUSES,
    });
    yield* rangePieces(response, () =>
      this.#bucket.error("STORE_TRANSIENT", `${key}: has changed`),
    );
  }

  async head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    checkKey(this.name, key);
    const url = this.#bucket.url(this.#prefix + key, { fields: FIELDS });
    const response = await this.#bucket.call({ method: "GET", url, key, signal, expected: [404] });
    if (response.status !== 404) {
      const resource = (await response.json()) as ObjectResource;
      return storedObject(key, resource);
    }
    if (!/bucket does not exist/i.test(await response.text())) return undefined;
    throw this.#bucket.error("STORE_NOT_FOUND", "the bucket does not exist");
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    checkPrefix(this.name, prefix);
    const { cursor, shallow = false, limit = PAGE, signal } = options;
    const url = this.#bucket.url(undefined, {
      prefix: this.#prefix + prefix,
      maxResults: String(Math.min(limit, PAGE)),
      fields: `items(${FIELDS}),prefixes,nextPageToken`,
      ...(shallow && { delimiter: "/" }),
      ...(cursor !== undefined && { pageToken: cursor }),
    });
    const response = await this.#bucket.call({ method: "GET", url, key: prefix, signal });
    const page = (await response.json()) as ListResource;
    const objects = (page.items ?? [])
      // Consoles create such objects as markers of empty folders.
      .filter(({ name = "" }) => !name.endsWith("/"))
      .map((item) => storedObject(this.#keyOf(item.name ?? ""), item));
    const folders = (page.prefixes ?? []).map((folder) => this.#keyOf(folder));
    const { nextPageToken: next } = page;
    return next === undefined ? { objects, folders } : { objects, folders, next };
  }

  async delete(key: string, signal?: AbortSignal): Promise<void> {
    checkKey(this.name, key);
    const url = this.#bucket.url(this.#prefix + key);
    const response = await this.#bucket.call({
      method: "DELETE",
      url,
      key,
      signal,
      expected: [404],
    });
    await response.drop();
  }

  /** Sessions cannot be listed. They expire after a week and cost nothing. */
  async abortStaleUploads(prefix: string): Promise<number> {
    checkPrefix(this.name, prefix);
    return 0;
  }

  async close(): Promise<void> {
    this.#bucket.close();
  }

  #keyOf(name: string): string {
    return name.slice(this.#prefix.length);
  }
}
