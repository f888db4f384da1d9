import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { StoreError } from "../errors.js";
import { PartedUpload, type PartedUploadOptions } from "../parts/parted-upload.js";
import type { UploadFacts, UploadOptions } from "../store.js";
import { isS3Error, type S3Bucket } from "./bucket.js";
import { compositeTag, plainTag } from "./digests.js";
import { sendBytes } from "./send-bytes.js";

/** A multipart upload. The receipt of a part is its ETag. */
export class S3Upload extends PartedUpload<string> {
  readonly #bucket: S3Bucket;
  readonly #id: string;

  private constructor(bucket: S3Bucket, id: string, options: PartedUploadOptions) {
    super(options, "any-order");
    this.#bucket = bucket;
    this.#id = id;
  }

  static async start(bucket: S3Bucket, key: string, options: UploadOptions): Promise<S3Upload> {
    const { signal, ifAbsent = false } = options;
    if (ifAbsent) await rejectExisting(bucket, key, signal);
    else await bucket.rejectLocked(key, signal);
    const command = new CreateMultipartUploadCommand({ ...bucket.at(key), ...bucket.newObject });
    const { UploadId } = await bucket.call(key, signal, (how) => bucket.client.send(command, how));
    if (UploadId === undefined) {
      throw bucket.failure("STORE_FAILED", `${key}: the server returned no upload id`);
    }
    return new S3Upload(bucket, UploadId, { ...options, store: bucket.store, key });
  }

  protected async sendPart(number: number, bytes: Uint8Array, signal: AbortSignal | undefined) {
    const bucket = this.#bucket;
    const part = { ...this.#upload, ...bucket.customerKey, PartNumber: number + 1 };
    const { ETag } = await sendBytes(bucket, this.key, bytes, signal, (body, how) =>
      bucket.client.send(new UploadPartCommand({ ...part, ...body }), how),
    );
    if (ETag !== undefined) return ETag;
    throw this.failure(`the server returned no ETag for part ${number}`, "STORE_TRANSIENT");
  }

  protected async joinParts(
    tags: readonly string[],
    { size }: UploadFacts,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const expected = compositeTag(tags.map((tag) => plainTag(tag) ?? ""));
    try {
      if (this.ifAbsent) await rejectExisting(this.#bucket, this.key, signal, expected);
      await this.#send(tags, signal);
    } catch (error) {
      // An earlier attempt may have completed it, and its response was lost.
      if (!isS3Error(error, "NoSuchUpload") || expected === undefined) throw error;
      const head = await this.#bucket.head(this.key, signal);
      if (head?.tag !== expected) throw error;
    }
    await this.#check(size, expected, signal);
  }

  protected async discardParts(): Promise<void> {
    const command = new AbortMultipartUploadCommand(this.#upload);
    await this.#bucket.call(this.key, undefined, (how) => this.#bucket.client.send(command, how));
  }

  get #upload() {
    return { ...this.#bucket.at(this.key), UploadId: this.#id };
  }

  async #send(tags: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const bucket = this.#bucket;
    const command = new CompleteMultipartUploadCommand({
      ...this.#upload,
      ...bucket.customerKey,
      ...(this.ifAbsent && bucket.ifNoneMatch && { IfNoneMatch: "*" }),
      MultipartUpload: { Parts: tags.map((ETag, i) => ({ ETag, PartNumber: i + 1 })) },
    });
    try {
      await bucket.call(this.key, signal, (how) => bucket.client.send(command, how));
    } catch (error) {
      if (!isS3Error(error, "PreconditionFailed")) throw error;
      throw this.failure("exists already", "STORE_EXISTS");
    }
  }

  /** Compares size and composite ETag of the object with what was sent. */
  async #check(size: number, expected: string | undefined, signal?: AbortSignal): Promise<void> {
    const head = await this.#bucket.head(this.key, signal);
    const composite = /^[0-9a-f]{32}-\d+$/.test(head?.tag ?? "");
    if (head?.size === size && (!composite || expected === undefined || head.tag === expected)) {
      return;
    }
    throw this.failure("the object on the server differs from what was sent", "STORE_TRANSIENT");
  }
}

/** Throws STORE_EXISTS if the object exists with another tag than `ownTag`. */
export async function rejectExisting(
  bucket: S3Bucket,
  key: string,
  signal: AbortSignal | undefined,
  ownTag?: string,
): Promise<void> {
  const head = await bucket.head(key, signal);
  if (head === undefined || (ownTag !== undefined && head.tag === ownTag)) return;
  throw new StoreError("STORE_EXISTS", `${key}: exists already`, { store: bucket.store });
}
