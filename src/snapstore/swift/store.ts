import { createHash } from "node:crypto";
import type { SwiftAuth, SwiftConfig } from "../config.js";
import { RANGE_STATUSES, rangeHeader, rangePieces } from "../http/range.js";
import { checkKey, checkPrefix } from "../key.js";
import { checkExists } from "../object-checks.js";
import type {
  GetOptions,
  ListOptions,
  ListPage,
  PutOptions,
  SnapStore,
  StaleOptions,
  StoreCapabilities,
  StoredObject,
  StoreUpload,
  UploadOptions,
} from "../store.js";
import { SwiftContainer, type SwiftObject } from "./container.js";
import { PAGE, pageOf } from "./listing.js";
import { SEGMENTS, segmentPrefix } from "./segment-names.js";
import { removeSegments, removeStaleSegments } from "./segments.js";
import { SwiftUpload } from "./upload.js";

/** A container of OpenStack Swift or a compatible server. */
export class SwiftStore implements SnapStore {
  readonly name: string;
  readonly place: string;
  readonly capabilities: StoreCapabilities = {
    parallelParts: true,
    // Swift is eventually consistent about `If-None-Match: *`; radosgw ignores it.
    atomicIfAbsent: false,
    // Older servers require it.
    minPartBytes: 1 << 20,
    maxPartBytes: 5 * 2 ** 30,
    maxParts: 1000,
    locks: "never",
  };
  readonly #container: SwiftContainer;

  constructor(config: SwiftConfig) {
    const { container, prefix, auth, endpoint, region } = config;
    this.name = `swift://${container}${prefix === "" ? "" : `/${prefix}`}`;
    const server = new URL(endpoint ?? auth.url).host;
    this.place = `swift://${server}/${region ?? ""}/${accountOf(auth)}/${container}/${prefix}`;
    this.#container = new SwiftContainer(config, this.name);
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    this.#checkKey(key);
    const { ifAbsent = false, signal } = options;
    const before = await this.#headBefore(key, options);
    const headers = {
      etag: createHash("md5").update(bytes).digest("hex"),
      "content-type": "application/octet-stream",
      "x-object-meta-sha256": createHash("sha256").update(bytes).digest("hex"),
      ...(ifAbsent && { "if-none-match": "*" }),
    };
    const name = this.#container.nameOf(key);
    const response = await this.#container.call({
      method: "PUT",
      name,
      headers,
      body: [bytes],
      signal,
    });
    await response.drop();
    await this.#removeSegments(key, before?.segments, signal);
  }

  async startUpload(key: string, options: UploadOptions): Promise<StoreUpload> {
    this.#checkKey(key);
    await this.#headBefore(key, options);
    return new SwiftUpload(this.#container, key, options);
  }

  async *get(key: string, options: GetOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    this.#checkKey(key);
    const { length, ifTag, signal } = options;
    if (length === 0) return await checkExists(this, key, signal);
    const response = await this.#container.call({
      method: "GET",
      name: this.#container.nameOf(key),
      headers: {
        ...rangeHeader(options),
        ...(ifTag !== undefined && { "if-match": `"${ifTag}"` }),
      },
      signal,
      expected: RANGE_STATUSES,
    });
    yield* rangePieces(response, () =>
      this.#container.error("STORE_TRANSIENT", `${key}: has changed`),
    );
  }

  async head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    this.#checkKey(key);
    const found = await this.#container.head(key, signal);
    if (found === undefined) return undefined;
    const { segments: _, ...object } = found;
    return object;
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    checkPrefix(this.name, prefix);
    const { cursor: marker = "", shallow = false, limit = PAGE, signal } = options;
    const full = this.#container.nameOf(prefix);
    const { entries, next } = await pageOf(this.#container, full, {
      marker,
      shallow,
      limit,
      signal,
    });
    const objects: StoredObject[] = [];
    const folders: string[] = [];
    for (const { name, folder, size, modified, tag } of entries) {
      const key = this.#container.keyOf(name);
      if (folder) folders.push(key);
      // Consoles create such objects as markers of empty folders.
      else if (!key.endsWith("/")) objects.push({ key, size, modified, tag });
    }
    return next === undefined ? { objects, folders } : { objects, folders, next };
  }

  async delete(key: string, signal?: AbortSignal): Promise<void> {
    this.#checkKey(key);
    const before = await this.#container.head(key, signal);
    if (before === undefined) return;
    const name = this.#container.nameOf(key);
    const response = await this.#container.call({
      method: "DELETE",
      name,
      signal,
      expected: [404],
    });
    await response.drop();
    await this.#removeSegments(key, before.segments, signal);
  }

  async abortStaleUploads(
    prefix: string,
    olderThan: Date,
    options: StaleOptions = {},
  ): Promise<number> {
    checkPrefix(this.name, prefix);
    return await removeStaleSegments(this.#container, prefix, olderThan, options);
  }

  async close(): Promise<void> {
    this.#container.close();
  }

  #checkKey(key: string): void {
    checkKey(this.name, key);
    if (!this.#container.nameOf(key).startsWith(SEGMENTS)) return;
    throw this.#container.error("STORE_FAILED", `${key}: this name is reserved for segments`);
  }

  /** The object before it is written. Throws STORE_EXISTS with `ifAbsent`. */
  async #headBefore(
    key: string,
    { ifAbsent, signal }: PutOptions,
  ): Promise<SwiftObject | undefined> {
    const before = await this.#container.head(key, signal);
    if (!ifAbsent || before === undefined) return before;
    throw this.#container.error("STORE_EXISTS", `${key}: exists already`);
  }

  async #removeSegments(
    key: string,
    upload: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (upload === undefined) return;
    await removeSegments(
      this.#container,
      segmentPrefix(this.#container.nameOf(key), upload),
      signal,
    );
  }
}

/** The account as far as the settings identify it: containers belong to an account. */
function accountOf(auth: SwiftAuth): string {
  if (auth.kind === "v1") return auth.user.replace(/:.*$/, "");
  if (auth.kind === "v3-password") return `${auth.projectDomain}:${auth.project}`;
  return auth.id ?? `${auth.userDomain}:${auth.user}:${auth.name}`;
}
