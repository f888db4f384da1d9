import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { bodyPieces } from "../http/body.js";
import type { S3Config } from "../config.js";
import { StoreError } from "../errors.js";
import { checkKey, checkPrefix, isAbortable } from "../key.js";
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
  StoreFacts,
  StoreUpload,
  UploadOptions,
} from "../store.js";
import { BucketLocks } from "./bucket-locks.js";
import { isS3Error, S3Bucket } from "./bucket.js";
import { DEADLINES, type S3Deadlines } from "./client.js";
import { describeBucket } from "./describe.js";
import { plainTag, sha256Hex } from "./digests.js";
import { s3Failure } from "./failure.js";
import { sendBytes } from "./send-bytes.js";
import { rejectExisting, S3Upload } from "./upload.js";

/** Maximum number of entries in a page. */
const PAGE = 1000;

/** A bucket of Amazon S3 or a compatible server. */
export class S3Store implements SnapStore {
  readonly name: string;
  readonly place: string;
  readonly capabilities: StoreCapabilities;
  readonly #bucket: S3Bucket;
  readonly #locks: BucketLocks;

  constructor(config: S3Config, deadlines: S3Deadlines = DEADLINES) {
    const { container, prefix, endpoint } = config;
    this.name = `s3://${container}${prefix === "" ? "" : `/${prefix}`}`;
    const server = endpoint === undefined ? "amazonaws.com" : new URL(endpoint).host;
    this.place = `s3://${server}/${container}/${prefix}`;
    this.capabilities = {
      parallelParts: true,
      // Some servers support If-None-Match (MinIO), others ignore it: radosgw of Ceph 16 in versioned buckets, and for
      // uploads in parts.
      atomicIfAbsent: endpoint === undefined,
      minPartBytes: 5 << 20,
      maxPartBytes: 5 * 2 ** 30,
      maxParts: 10_000,
      locks: "head",
    };
    this.#bucket = new S3Bucket(config, this.name, deadlines);
    this.#locks = new BucketLocks(this.#bucket);
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    checkKey(this.name, key);
    const { signal, ifAbsent = false } = options;
    const bucket = this.#bucket;
    if (ifAbsent) await rejectExisting(bucket, key, signal);
    else await bucket.rejectLocked(key, signal);
    const object = {
      ...bucket.at(key),
      ...bucket.newObject,
      ...(ifAbsent && bucket.ifNoneMatch && { IfNoneMatch: "*" }),
      Metadata: { sha256: await sha256Hex(bytes) },
    };
    try {
      await sendBytes(bucket, key, bytes, signal, (body, how) =>
        bucket.client.send(new PutObjectCommand({ ...object, ...body }), how),
      );
    } catch (error) {
      if (!isS3Error(error, "PreconditionFailed")) throw error;
      throw bucket.failure("STORE_EXISTS", `${key}: exists already`);
    }
  }

  async startUpload(key: string, options: UploadOptions): Promise<StoreUpload> {
    checkKey(this.name, key);
    return await S3Upload.start(this.#bucket, key, options);
  }

  async *get(key: string, options: GetOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    checkKey(this.name, key);
    const { offset = 0, length, ifTag, signal } = options;
    if (length === 0) return await checkExists(this, key, signal);
    const whole = offset === 0 && length === undefined;
    const last = length === undefined ? "" : offset + length - 1;
    const command = new GetObjectCommand({
      ...this.#bucket.at(key),
      ...this.#bucket.customerKey,
      ...(!whole && { Range: `bytes=${offset}-${last}` }),
      ...(ifTag !== undefined && { IfMatch: `"${ifTag}"` }),
    });
    try {
      const response = await this.#bucket.call(key, signal, (how) =>
        this.#bucket.client.send(command, how),
      );
      if (!(response.Body instanceof Readable)) return;
      const { idleMs } = this.#bucket.deadlines;
      const bytes = yield* bodyPieces(response.Body, { idleMs, signal });
      if (response.ContentLength !== undefined && bytes !== response.ContentLength) {
        const wanted = `${bytes} bytes of ${response.ContentLength}`;
        throw this.#bucket.failure("STORE_TRANSIENT", `${key}: cut short, ${wanted}`);
      }
    } catch (error) {
      // The range begins at or past the end of the object.
      if (isS3Error(error, "InvalidRange")) return;
      if (isS3Error(error, "PreconditionFailed")) {
        throw this.#bucket.failure("STORE_TRANSIENT", `${key}: has changed`);
      }
      throw s3Failure(error, { store: this.name, key, signal });
    }
  }

  async head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    checkKey(this.name, key);
    return await this.#bucket.head(key, signal);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    checkPrefix(this.name, prefix);
    const { cursor, shallow = false, limit = PAGE, signal } = options;
    const { Bucket, Key: Prefix } = this.#bucket.at(prefix);
    const command = new ListObjectsV2Command({
      Bucket,
      Prefix,
      MaxKeys: Math.min(limit, PAGE),
      ...(shallow && { Delimiter: "/" }),
      ...(cursor !== undefined && { ContinuationToken: cursor }),
    });
    const response = await this.#bucket.call(prefix, signal, (how) =>
      this.#bucket.client.send(command, how),
    );
    const objects: StoredObject[] = [];
    for (const { Key = "", Size = 0, LastModified, ETag } of response.Contents ?? []) {
      // Consoles create such objects as markers of empty folders.
      if (Key.endsWith("/")) continue;
      const modified = LastModified ?? new Date(0);
      objects.push({ key: this.#bucket.keyOf(Key), size: Size, modified, tag: plainTag(ETag) });
    }
    const folders = (response.CommonPrefixes ?? []).map(({ Prefix = "" }) =>
      this.#bucket.keyOf(Prefix),
    );
    const next = response.IsTruncated ? response.NextContinuationToken : undefined;
    if (response.IsTruncated && !next) {
      throw this.#incompleteListing(
        prefix,
        "the server must support ListObjectsV2, not only ListObjects",
      );
    }
    return next === undefined ? { objects, folders } : { objects, folders, next };
  }

  async delete(key: string, signal?: AbortSignal): Promise<void> {
    checkKey(this.name, key);
    if (await this.#locks.mayExist(signal)) await this.#bucket.rejectLocked(key, signal);
    const command = new DeleteObjectCommand(this.#bucket.at(key));
    try {
      await this.#bucket.call(key, signal, (how) => this.#bucket.client.send(command, how));
    } catch (error) {
      if (!isS3Error(error, "NoSuchKey")) throw error;
    }
  }

  async abortStaleUploads(
    prefix: string,
    olderThan: Date,
    options: StaleOptions = {},
  ): Promise<number> {
    checkPrefix(this.name, prefix);
    const { signal } = options;
    const { Bucket, Key: Prefix } = this.#bucket.at(prefix);
    let aborted = 0;
    let after: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
    while (after !== undefined) {
      const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
        Bucket,
        Prefix,
        ...after,
      });
      const page = await this.#bucket.call(prefix, signal, (how) =>
        this.#bucket.client.send(command, how),
      );
      for (const { Key = "", UploadId = "", Initiated } of page.Uploads ?? []) {
        if (Initiated === undefined || Initiated >= olderThan) continue;
        if (!isAbortable(this.#bucket.keyOf(Key), options)) continue;
        if (await this.#abort(Key, UploadId, signal)) aborted++;
      }
      const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
      if (IsTruncated && !NextKeyMarker) throw this.#incompleteListing(prefix);
      after = undefined;
      if (IsTruncated && NextKeyMarker) {
        after = { KeyMarker: NextKeyMarker };
        if (NextUploadIdMarker !== undefined) after.UploadIdMarker = NextUploadIdMarker;
      }
    }
    return aborted;
  }

  describe(signal?: AbortSignal): Promise<StoreFacts> {
    return describeBucket(this.#bucket, signal);
  }

  async close(): Promise<void> {
    this.#bucket.client.destroy();
  }

  /** A truncated listing without a token for the next page. */
  #incompleteListing(prefix: string, hint?: string): StoreError {
    const about = prefix === "" ? "" : `${prefix}: `;
    const message = `${about}the server returned a truncated listing without a continuation token`;
    return new StoreError("STORE_FAILED", message, { store: this.name, hint });
  }

  /** False if the upload does not exist any more. */
  async #abort(key: string, id: string, signal: AbortSignal | undefined): Promise<boolean> {
    const at = { Bucket: this.#bucket.name, Key: key, UploadId: id };
    const command = new AbortMultipartUploadCommand(at);
    try {
      await this.#bucket.call(this.#bucket.keyOf(key), signal, (how) =>
        this.#bucket.client.send(command, how),
      );
      return true;
    } catch (error) {
      if (isS3Error(error, "NoSuchUpload")) return false;
      throw error;
    }
  }
}
