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

/** One bucket through one client: names, the parameters that go with every call, and errors. */
export class S3Bucket {
  readonly store: string;
  readonly name: string;
  readonly client: S3Client;
  readonly deadlines: S3Deadlines;
  /** Of every call that reads or writes an object's bytes. */
  readonly customerKey: CustomerKey | Record<string, never>;
  /** Of every call that begins an object. */
  readonly newObject: NewObject;
  /** Whether to ask the server to refuse what exists; some do not know the header, and fail. */
  readonly ifNoneMatch: boolean;
  /** Learned from the server: it wants Content-MD5, as one that locks objects by default does. */
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

  /** The bucket and the whole key. */
  at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.name, Key: this.#prefix + key };
  }

  /** The key in the store of a whole key. */
  within(key: string): string {
    return key.slice(this.#prefix.length);
  }

  /** Runs one call and gives its errors as StoreErrors. */
  async call<T>(
    key: string,
    signal: AbortSignal | undefined,
    work: (options: { abortSignal?: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(signal);
    const options = signal === undefined ? {} : { abortSignal: signal };
    const attempt = () => raceAbort(work(options), signal);
    try {
      // The SDK waits for credentials whatever the signal says.
      return await attempt().catch((error) => {
        if (!clockWasSet(error)) throw error;
        return attempt();
      });
    } catch (error) {
      throw s3Failure(error, { store: this.store, key, signal });
    }
  }

  /** Undefined when there is no such object. */
  async head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    const command = new HeadObjectCommand({ ...this.at(key), ...this.customerKey });
    try {
      const answer = await this.call(key, signal, (how) => this.client.send(command, how));
      return storedObject(key, answer);
    } catch (error) {
      if (error instanceof StoreError && error.code === "STORE_NOT_FOUND") return undefined;
      throw error;
    }
  }

  /**
   * Throws STORE_IMMUTABLE for a locked object, before it is written or deleted. A bucket with object lock keeps
   * versions: it would not refuse, but hide the locked one behind the new one or a mark.
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

/** Whether the SDK has learned the server's time from a refusal, and will go by it from now on. */
function clockWasSet(error: unknown): boolean {
  if (!(error instanceof S3ServiceException)) return false;
  return "clockSkewCorrected" in error.$metadata && error.$metadata.clockSkewCorrected === true;
}

/** Whether the server refused with this name, such as `NoSuchUpload`. */
export function isRefusal(error: unknown, name: string): boolean {
  const refusal = error instanceof StoreError ? error.cause : error;
  return refusal instanceof S3ServiceException && refusal.name === name;
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

/** The SDK's type lists Amazon's classes alone. It sends any name, and other servers have their own: they check it. */
function storageClassOf({ storageClass }: S3Config): Pick<NewObject, "StorageClass"> {
  return storageClass ? { StorageClass: storageClass as StorageClass } : {};
}

function storedObject(key: string, answer: HeadObjectCommandOutput): StoredObject {
  const held = answer.ObjectLockLegalHoldStatus === "ON";
  const lockedUntil = held ? FOREVER : answer.ObjectLockRetainUntilDate;
  return {
    key,
    size: answer.ContentLength ?? 0,
    modified: answer.LastModified ?? new Date(0),
    tag: plainTag(answer.ETag),
    sha256: answer.Metadata?.["sha256"],
    lockedUntil,
  };
}

/** A legal hold has no end of its own. */
const FOREVER = new Date(8.64e15);
