import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { StoreError } from "../errors.js";
import type { StoreUpload, UploadOptions } from "../store.js";
import { isRefusal, type S3Bucket } from "./bucket.js";
import { compositeTag, plainTag } from "./digests.js";
import { sendBytes } from "./send-bytes.js";

/** A multipart upload. */
export class S3Upload implements StoreUpload {
  readonly #bucket: S3Bucket;
  readonly #key: string;
  readonly #id: string;
  readonly #ifAbsent: boolean;
  /** ETag of each part. */
  readonly #tags = new Map<number, string>();
  #complete = false;

  private constructor(bucket: S3Bucket, key: string, id: string, ifAbsent: boolean) {
    this.#bucket = bucket;
    this.#key = key;
    this.#id = id;
    this.#ifAbsent = ifAbsent;
  }

  static async start(bucket: S3Bucket, key: string, options: UploadOptions): Promise<S3Upload> {
    const { signal, ifAbsent = false } = options;
    if (ifAbsent) await refuseExisting(bucket, key, signal);
    else await bucket.refuseLocked(key, signal);
    const command = new CreateMultipartUploadCommand({ ...bucket.at(key), ...bucket.newObject });
    const { UploadId } = await bucket.call(key, signal, (how) => bucket.client.send(command, how));
    if (UploadId === undefined) {
      throw bucket.failure("STORE_FAILED", `${key}: the server gives the upload no id`);
    }
    return new S3Upload(bucket, key, UploadId, ifAbsent);
  }

  async part(number: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const bucket = this.#bucket;
    const { ETag } = await sendBytes(bucket, this.#key, bytes, signal, (body, how) =>
      bucket.client.send(
        new UploadPartCommand({
          ...this.#it,
          ...bucket.customerKey,
          PartNumber: number + 1,
          ...body,
        }),
        how,
      ),
    );
    if (ETag === undefined) {
      throw bucket.failure(
        "STORE_TRANSIENT",
        `${this.#key}: the server gives part ${number} no tag`,
      );
    }
    this.#tags.set(number, ETag);
  }

  async complete(facts: { parts: number; size: number }, signal?: AbortSignal): Promise<void> {
    if (this.#complete) return;
    const tags = this.#tagsOf(facts.parts);
    const expected = compositeTag(tags.map((tag) => plainTag(tag) ?? ""));
    try {
      if (this.#ifAbsent) await refuseExisting(this.#bucket, this.#key, signal, expected);
      await this.#send(tags, signal);
    } catch (error) {
      // An answer that got lost: the upload is over because it is complete.
      if (!isRefusal(error, "NoSuchUpload") || expected === undefined) throw error;
      const head = await this.#bucket.head(this.#key, signal);
      if (head?.tag !== expected) throw error;
    }
    await this.#check(facts.size, expected, signal);
    this.#complete = true;
  }

  async abort(): Promise<void> {
    if (this.#complete) return;
    const command = new AbortMultipartUploadCommand(this.#it);
    // What stays is aborted with the other stale uploads.
    await this.#bucket
      .call(this.#key, undefined, (how) => this.#bucket.client.send(command, how))
      .catch(() => {});
  }

  get #it() {
    return { ...this.#bucket.at(this.#key), UploadId: this.#id };
  }

  #tagsOf(parts: number): string[] {
    return Array.from({ length: parts }, (_, number) => {
      const tag = this.#tags.get(number);
      if (tag !== undefined) return tag;
      throw this.#bucket.failure("STORE_FAILED", `${this.#key}: part ${number} was not sent`);
    });
  }

  async #send(tags: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const bucket = this.#bucket;
    const command = new CompleteMultipartUploadCommand({
      ...this.#it,
      ...bucket.customerKey,
      ...(this.#ifAbsent && bucket.ifNoneMatch && { IfNoneMatch: "*" }),
      MultipartUpload: { Parts: tags.map((ETag, i) => ({ ETag, PartNumber: i + 1 })) },
    });
    try {
      await bucket.call(this.#key, signal, (how) => bucket.client.send(command, how));
    } catch (error) {
      if (!isRefusal(error, "PreconditionFailed")) throw error;
      throw bucket.failure("STORE_EXISTS", `${this.#key}: exists already`);
    }
  }

  /** What stands there now is what was sent: its size, and the digest of the parts' digests. */
  async #check(size: number, expected: string | undefined, signal?: AbortSignal): Promise<void> {
    const head = await this.#bucket.head(this.#key, signal);
    const composite = /^[0-9a-f]{32}-\d+$/.test(head?.tag ?? "");
    if (head?.size === size && (!composite || expected === undefined || head.tag === expected)) {
      return;
    }
    throw this.#bucket.failure("STORE_TRANSIENT", `${this.#key}: the server has other bytes`);
  }
}

/** Refuses with STORE_EXISTS what stands there, unless it is what would be written. */
export async function refuseExisting(
  bucket: S3Bucket,
  key: string,
  signal: AbortSignal | undefined,
  own?: string,
): Promise<void> {
  const head = await bucket.head(key, signal);
  if (head === undefined || (own !== undefined && head.tag === own)) return;
  throw new StoreError("STORE_EXISTS", `${key}: exists already`, { store: bucket.store });
}
