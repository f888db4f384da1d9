import { createHash } from "node:crypto";
import {
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  type S3Client,
  S3ServiceException,
  type StorageClass,
} from "@aws-sdk/client-s3";
import { throwIfAborted } from "../../errors.js";
import type { S3Config } from "../config.js";
import { raceAbort } from "../../flow/race-abort.js";
import { StoreError } from "../errors.js";
import type { StoredObject } from "../store.js";
import { type S3Deadlines, s3Client } from "./client.js";
import { plainTag } from "./digests.js";
import { s3Failure } from "./failure.js";

/** A bucket and its client: keys, common parameters and errors of its calls. */
export class S3Bucket {
  readonly store: string;
  readonly name: string;
  readonly client: S3Client;
  readonly deadlines: S3Deadlines;
  /** Parameters of every call that reads or writes an object's bytes. */
  readonly customerKey: CustomerKey | Record<string, never>;
  /** Parameters of every call that creates an object. */
  readonly newObject: NewObject;
  /** Whether to send If-None-Match; some servers do not support it, and fail. */
  readonly ifNoneMatch: boolean;
  /** Set once the server has asked for Content-MD5, as for a bucket that locks objects by default. */
  wantsMd5 = false;
  readonly #prefix: string;

  constructor(config: S3Config, store: string, deadlines: S3Deadlines) {
    this.store = store;
    this.name = config.container;
    this.client = s3Client(config, deadlines);
    this.deadlines = deadlines;
    this.customerKey = customerKeyOf(config);
    this.newObject = {
      ...this.customerKey,
      ...storageClassOf(config),
      ...(config.sse?.kind === "kms" && { ServerSideEncryption: "aws:kms" as const }),
      ...(config.sse?.kind === "kms" &&
        config.sse.keyId !== undefined && { SSEKMSKeyId: config.sse.keyId }),
    };
    this.ifNoneMatch = config.provider === "S3" || config.provider === "OCS";
    this.#prefix = config.prefix === "" ? "" : `${config.prefix}/`;
  }

  /** The bucket and the full key. */
  at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.name, Key: this.#prefix + key };
  }

  /** The key below the prefix, for a full key. */
  keyOf(key: string): string {
    return key.slice(this.#prefix.length);
  }

  /** Runs one call and maps its errors to StoreErrors. */
  async call<T>(
    key: string,
    signal: AbortSignal | undefined,
    work: (options: { abortSignal?: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(signal);
    const options = signal === undefined ? {} : { abortSignal: signal };
    // While it waits for credentials the SDK ignores the signal.
    const attempt = () => raceAbort(work(options), signal);
    try {
      return await attempt().catch((error) => {
        if (!isClockCorrected(error)) throw error;
        return attempt();
      });
    } catch (error) {
      throw s3Failure(error, { store: this.store, key, signal });
    }
  }

  async head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    const command = new HeadObjectCommand({ ...this.at(key), ...this.customerKey });
    try {
      const response = await this.call(key, signal, (how) => this.client.send(command, how));
      return storedObject(key, response);
    } catch (error) {
      if (error instanceof StoreError && error.code === "STORE_NOT_FOUND") return undefined;
      throw error;
    }
  }

  /**
   * Throws STORE_IMMUTABLE for a locked object, before it is overwritten or deleted. A bucket with object lock keeps
   * versions: it would accept the call, and hide the locked version behind the new one or a delete marker.
   */
  async rejectLocked(key: string, signal?: AbortSignal): Promise<void> {
    const { lockedUntil } = (await this.head(key, signal)) ?? {};
    if (lockedUntil === undefined || lockedUntil <= new Date()) return;
    throw this.failure("STORE_IMMUTABLE", `${key}: locked until ${lockedUntil.toISOString()}`);
  }

  failure(code: StoreError["code"], message: string): StoreError {
    return new StoreError(code, message, { store: this.store });
  }
}

/** Whether the SDK has corrected its clock by the error response: the next attempt uses the server's time. */
function isClockCorrected(error: unknown): boolean {
  if (!(error instanceof S3ServiceException)) return false;
  return "clockSkewCorrected" in error.$metadata && error.$metadata.clockSkewCorrected === true;
}

/** Whether the server responded with this error, such as `NoSuchUpload`. */
export function isS3Error(error: unknown, name: string): boolean {
  const cause = error instanceof StoreError ? error.cause : error;
  return cause instanceof S3ServiceException && cause.name === name;
}

interface CustomerKey {
  readonly SSECustomerAlgorithm: "AES256";
  readonly SSECustomerKey: string;
  readonly SSECustomerKeyMD5: string;
}

interface NewObject extends Partial<CustomerKey> {
  readonly StorageClass?: StorageClass;
  readonly ServerSideEncryption?: "aws:kms";
  readonly SSEKMSKeyId?: string;
}

function customerKeyOf({ sse }: S3Config): S3Bucket["customerKey"] {
  if (sse?.kind !== "customer") return {};
  return {
    SSECustomerAlgorithm: "AES256",
    SSECustomerKey: Buffer.from(sse.key).toString("base64"),
    SSECustomerKeyMD5: createHash("md5").update(sse.key).digest("base64"),
  };
}

/** The SDK's type lists only the classes of AWS. It sends any name: other servers have classes of their own. */
function storageClassOf({ storageClass }: S3Config): Pick<NewObject, "StorageClass"> {
  return storageClass ? { StorageClass: storageClass as StorageClass } : {};
}

function storedObject(key: string, response: HeadObjectCommandOutput): StoredObject {
  const held = response.ObjectLockLegalHoldStatus === "ON";
  const lockedUntil = held ? FOREVER : response.ObjectLockRetainUntilDate;
  return {
    key,
    size: response.ContentLength ?? 0,
    modified: response.LastModified ?? new Date(0),
    tag: plainTag(response.ETag),
    sha256: response.Metadata?.["sha256"],
    lockedUntil,
  };
}

/** A legal hold has no end date. */
const FOREVER = new Date(8.64e15);
