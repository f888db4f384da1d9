import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { RestError } from "@azure/storage-blob";
import { bodyPieces } from "../http/body.js";
import type { AbsConfig } from "../config.js";
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
import { AbsContainer, DISCARDED, IDLE_MS, isFolderMarker, plainTag } from "./container.js";
import { containerClient } from "./client.js";
import { newAgents } from "./proxied-requests.js";
import { isAbsError } from "./failure.js";
import { removeStaleBlocks } from "./uncommitted-blocks.js";
import { AbsUpload } from "./upload.js";

/** Maximum number of entries in a page. */
const PAGE = 5000;

/** A container of Azure Blob Storage. */
export class AbsStore implements SnapStore {
  readonly name: string;
  readonly place: string;
  readonly capabilities: StoreCapabilities = {
    parallelParts: true,
    atomicIfAbsent: true,
    minPartBytes: 1,
    maxPartBytes: 4000 * 2 ** 20,
    maxParts: 50_000,
    locks: "head",
  };
  readonly #container: AbsContainer;
  readonly #agents = newAgents();

  constructor(config: AbsConfig) {
    const { container, prefix } = config;
    this.name = `azblob://${container}${prefix === "" ? "" : `/${prefix}`}`;
    const client = containerClient(config, this.name, this.#agents);
    const { host, pathname } = new URL(client.url);
    this.place = `azblob://${host}${pathname}/${prefix}`;
    this.#container = new AbsContainer(client, this.name, prefix, IDLE_MS);
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    this.#checkNewKey(key);
    const { ifAbsent = false, signal } = options;
    const blobHTTPHeaders = { blobContentMD5: createHash("md5").update(bytes).digest() };
    const metadata = { sha256: createHash("sha256").update(bytes).digest("hex") };
    try {
      await this.#container.write(key, { ifAbsent, signal }, (how) =>
        this.#container.at(key).upload(bytes, bytes.length, { ...how, blobHTTPHeaders, metadata }),
      );
    } catch (error) {
      throw this.#container.failure(error, key, signal);
    }
  }

  async startUpload(key: string, options: UploadOptions): Promise<StoreUpload> {
    this.#checkNewKey(key);
    if (options.ifAbsent) await this.#container.rejectExisting(key, options.signal);
    else await this.#container.head(key, options.signal);
    return new AbsUpload(this.#container, key, options);
  }

  async *get(key: string, options: GetOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    checkKey(this.name, key);
    const { offset = 0, length, ifTag, signal } = options;
    if (length === 0) return await checkExists(this, key, signal);
    try {
      const { readableStreamBody: body, contentLength } = await this.#container.attempt(
        signal,
        async ({ abortSignal }) => {
          const response = await this.#container.at(key).download(offset, length, {
            ...(ifTag !== undefined && { conditions: { ifMatch: `"${ifTag}"` } }),
            maxRetryRequests: 0,
            abortSignal,
          });
          if (response.metadata?.[DISCARDED] === undefined) return response;
          throw this.#container.error("STORE_NOT_FOUND", `${key}: not found`);
        },
      );
      if (!(body instanceof Readable)) return;
      const { idleMs } = this.#container;
      const got = yield* bodyPieces(body, { idleMs, signal });
      if (contentLength !== undefined && got !== contentLength) {
        const wanted = `${got} bytes of ${contentLength}`;
        throw this.#container.error("STORE_TRANSIENT", `${key}: cut short, ${wanted}`);
      }
    } catch (error) {
      // The range begins at or past the end of the blob.
      if (isAbsError(error, "InvalidRange")) return;
      if (error instanceof RestError && error.statusCode === 412) {
        throw this.#container.error("STORE_TRANSIENT", `${key}: has changed`);
      }
      throw this.#container.failure(error, key, signal);
    }
  }

  async head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    checkKey(this.name, key);
    const found = await this.#container.head(key, signal);
    if (found === undefined) return undefined;
    const { upload: _, ...object } = found;
    return object;
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    checkPrefix(this.name, prefix);
    const { cursor, shallow = false, limit = PAGE, signal } = options;
    const page = await this.#container.call(prefix, signal, async ({ abortSignal }) => {
      const { client } = this.#container;
      const wanted = { prefix: this.#container.nameOf(prefix), includeMetadata: true, abortSignal };
      const paging = {
        maxPageSize: Math.min(limit, PAGE),
        ...(cursor !== undefined && { continuationToken: cursor }),
      };
      if (!shallow) {
        const { value } = await client.listBlobsFlat(wanted).byPage(paging).next();
        return { blobs: value?.segment.blobItems, folders: [], next: value?.continuationToken };
      }
      const { value } = await client.listBlobsByHierarchy("/", wanted).byPage(paging).next();
      const { blobItems: blobs, blobPrefixes: folders } = value?.segment ?? {};
      return { blobs, folders: folders ?? [], next: value?.continuationToken };
    });
    const objects: StoredObject[] = [];
    for (const { name, metadata, properties } of page.blobs ?? []) {
      // Consoles create such objects as markers of empty folders.
      if (metadata?.[DISCARDED] !== undefined || name.endsWith("/")) continue;
      if (isFolderMarker(metadata)) continue;
      objects.push({
        key: this.#container.keyOf(name),
        size: properties.contentLength ?? 0,
        modified: properties.lastModified,
        tag: plainTag(properties.etag),
        sha256: metadata?.["sha256"],
      });
    }
    const folders = page.folders.map(({ name }: { name: string }) => this.#container.keyOf(name));
    return page.next ? { objects, folders, next: page.next } : { objects, folders };
  }

  async delete(key: string, signal?: AbortSignal): Promise<void> {
    checkKey(this.name, key);
    try {
      await this.#container.attempt(signal, ({ abortSignal }) =>
        this.#container.at(key).delete({ abortSignal }),
      );
    } catch (error) {
      if (!isAbsError(error, "BlobNotFound")) throw this.#container.failure(error, key, signal);
    }
  }

  async abortStaleUploads(
    prefix: string,
    olderThan: Date,
    options: StaleOptions = {},
  ): Promise<number> {
    checkPrefix(this.name, prefix);
    return await removeStaleBlocks(this.#container, prefix, olderThan, options);
  }

  async close(): Promise<void> {
    this.#agents.destroy();
  }

  #checkNewKey(key: string): void {
    checkKey(this.name, key);
    if (!key.includes("\\")) return;
    throw this.#container.error("STORE_FAILED", `${key}: Azure replaces backslashes by slashes`);
  }
}
