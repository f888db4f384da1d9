import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { RestError } from "@azure/storage-blob";
import { bodyPieces } from "../http/body.js";
import type { AbsConfig } from "../config.js";
import { checkKey, checkPrefix } from "../key.js";
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
import { AbsBlobs, DISCARDED, IDLE_MS, isFolderMark, plainTag } from "./blobs.js";
import { containerClient } from "./client.js";
import { newAgents } from "./connections.js";
import { isAbsRefusal } from "./failure.js";
import { removeStaleBlocks } from "./uncommitted.js";
import { AbsUpload } from "./upload.js";

/** Most entries of a page that Azure gives. */
const PAGE = 5000;

/** @throws StoreError STORE_CREDENTIALS when there are none */
export function openAbsStore(config: AbsConfig): SnapStore {
  return new AbsStore(config);
}

/** A container of Azure Blob Storage. */
class AbsStore implements SnapStore {
  readonly name: string;
  readonly place: string;
  readonly capabilities: StoreCapabilities = {
    parallelParts: true,
    atomicIfAbsent: true,
    minPartBytes: 1,
    maxPartBytes: 4000 * 2 ** 20,
    maxParts: 50_000,
  };
  readonly #blobs: AbsBlobs;
  readonly #agents = newAgents();

  constructor(config: AbsConfig) {
    const { container, prefix } = config;
    this.name = `azblob://${container}${prefix === "" ? "" : `/${prefix}`}`;
    const client = containerClient(config, this.name, this.#agents);
    const { host, pathname } = new URL(client.url);
    this.place = `azblob://${host}${pathname}/${prefix}`;
    this.#blobs = new AbsBlobs(client, this.name, prefix, IDLE_MS);
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    this.#checkNewKey(key);
    const { ifAbsent = false, signal } = options;
    const blobHTTPHeaders = { blobContentMD5: createHash("md5").update(bytes).digest() };
    const metadata = { sha256: createHash("sha256").update(bytes).digest("hex") };
    try {
      await this.#blobs.write(key, { ifAbsent, signal }, (how) =>
        this.#blobs.at(key).upload(bytes, bytes.length, { ...how, blobHTTPHeaders, metadata }),
      );
    } catch (error) {
      throw this.#blobs.failure(error, key, signal);
    }
  }

  async startUpload(key: string, options: UploadOptions): Promise<StoreUpload> {
    this.#checkNewKey(key);
    if (options.ifAbsent) await this.#blobs.refuseExisting(key, options.signal);
    else await this.#blobs.head(key, options.signal);
    return new AbsUpload(this.#blobs, key, options);
  }

  async *get(key: string, options: GetOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    checkKey(this.name, key);
    const { offset = 0, length, ifTag, signal } = options;
    // HTTP has no range of nothing.
    if (length === 0) return await this.#mustExist(key, signal);
    try {
      const { readableStreamBody: body, contentLength } = await this.#blobs.attempt(
        signal,
        async ({ abortSignal }) => {
          const answer = await this.#blobs.at(key).download(offset, length, {
            ...(ifTag !== undefined && { conditions: { ifMatch: `"${ifTag}"` } }),
            maxRetryRequests: 0,
            abortSignal,
          });
          if (answer.metadata?.[DISCARDED] === undefined) return answer;
          throw this.#blobs.error("STORE_NOT_FOUND", `${key}: not found`);
        },
      );
      if (!(body instanceof Readable)) return;
      const { idleMs } = this.#blobs;
      const got = yield* bodyPieces(body, { idleMs, signal });
      if (contentLength !== undefined && got !== contentLength) {
        const wanted = `${got} bytes of ${contentLength}`;
        throw this.#blobs.error("STORE_TRANSIENT", `${key}: cut short, ${wanted}`);
      }
    } catch (error) {
      // The range begins at the end of the blob, or after it.
      if (isAbsRefusal(error, "InvalidRange")) return;
      if (error instanceof RestError && error.statusCode === 412) {
        throw this.#blobs.error("STORE_TRANSIENT", `${key}: has changed`);
      }
      throw this.#blobs.failure(error, key, signal);
    }
  }

  async head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    checkKey(this.name, key);
    const found = await this.#blobs.head(key, signal);
    if (found === undefined) return undefined;
    const { upload: _, ...object } = found;
    return object;
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    checkPrefix(this.name, prefix);
    const { cursor, shallow = false, limit = PAGE, signal } = options;
    const page = await this.#blobs.call(prefix, signal, async ({ abortSignal }) => {
      const { container } = this.#blobs;
      const wanted = { prefix: this.#blobs.nameOf(prefix), includeMetadata: true, abortSignal };
      const paging = {
        maxPageSize: Math.min(limit, PAGE),
        ...(cursor !== undefined && { continuationToken: cursor }),
      };
      if (!shallow) {
        const { value } = await container.listBlobsFlat(wanted).byPage(paging).next();
        return { blobs: value?.segment.blobItems, folders: [], next: value?.continuationToken };
      }
      const { value } = await container.listBlobsByHierarchy("/", wanted).byPage(paging).next();
      const { blobItems: blobs, blobPrefixes: folders } = value?.segment ?? {};
      return { blobs, folders: folders ?? [], next: value?.continuationToken };
    });
    const objects: StoredObject[] = [];
    for (const { name, metadata, properties } of page.blobs ?? []) {
      // What consoles make to show an empty folder is no object of ours.
      if (metadata?.[DISCARDED] !== undefined || name.endsWith("/")) continue;
      if (isFolderMark(metadata)) continue;
      objects.push({
        key: this.#blobs.keyOf(name),
        size: properties.contentLength ?? 0,
        modified: properties.lastModified,
        tag: plainTag(properties.etag),
        sha256: metadata?.["sha256"],
      });
    }
    const folders = page.folders.map(({ name }: { name: string }) => this.#blobs.keyOf(name));
    return page.next ? { objects, folders, next: page.next } : { objects, folders };
  }

  async delete(key: string, signal?: AbortSignal): Promise<void> {
    checkKey(this.name, key);
    try {
      await this.#blobs.attempt(signal, ({ abortSignal }) =>
        this.#blobs.at(key).delete({ abortSignal }),
      );
    } catch (error) {
      if (!isAbsRefusal(error, "BlobNotFound")) throw this.#blobs.failure(error, key, signal);
    }
  }

  async abortStaleUploads(
    prefix: string,
    olderThan: Date,
    options: StaleOptions = {},
  ): Promise<number> {
    checkPrefix(this.name, prefix);
    return await removeStaleBlocks(this.#blobs, prefix, olderThan, options);
  }

  /** The SDK's connections are shared by all of its clients; idle ones keep no process alive. */
  async close(): Promise<void> {
    this.#agents.destroy();
  }

  #checkNewKey(key: string): void {
    checkKey(this.name, key);
    if (!key.includes("\\")) return;
    throw this.#blobs.error("STORE_FAILED", `${key}: Azure would take the backslash for a slash`);
  }

  async #mustExist(key: string, signal: AbortSignal | undefined): Promise<void> {
    if ((await this.#blobs.head(key, signal)) !== undefined) return;
    throw this.#blobs.error("STORE_NOT_FOUND", `${key}: not found`);
  }
}
