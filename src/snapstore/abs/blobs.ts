import type { BlockBlobClient, ContainerClient } from "@azure/storage-blob";
import { throwIfAborted } from "../../errors.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { IdleWatch } from "../idle-watch.js";
import type { StoredObject } from "../store.js";
import { absFailure } from "./failure.js";

/** Longest silence of a server, milliseconds. */
export const IDLE_MS = 60_000;

/**
 * On what a blob becomes for the moment between committing nothing, which is how Azure forgets
 * uncommitted blocks, and its removal. It is no object.
 */
export const DISCARDED = "backuptooldiscarded";

/** How a call is to be made. */
export interface CallOptions {
  readonly abortSignal: AbortSignal;
  readonly onProgress: () => void;
}

/** A container, as a store with a prefix sees it. */
export class AbsBlobs {
  readonly store: string;
  readonly container: ContainerClient;
  readonly idleMs: number;
  readonly #below: string;

  constructor(container: ContainerClient, store: string, prefix: string, idleMs: number) {
    this.container = container;
    this.store = store;
    this.idleMs = idleMs;
    this.#below = prefix === "" ? "" : `${prefix}/`;
  }

  /** The name of the blob of a key, or of a prefix. */
  nameOf(key: string): string {
    return this.#below + key;
  }

  keyOf(name: string): string {
    return name.slice(this.#below.length);
  }

  at(key: string): BlockBlobClient {
    return this.container.getBlockBlobClient(this.nameOf(key));
  }

  /** One call, with a deadline. Throws what the SDK threw: see {@link failure}. */
  async attempt<T>(
    signal: AbortSignal | undefined,
    call: (options: CallOptions) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(signal);
    const watch = new IdleWatch(this.idleMs, signal);
    try {
      return await call({ abortSignal: watch.signal, onProgress: () => watch.moved() });
    } catch (error) {
      throw watch.reasonOf(error);
    } finally {
      watch.end();
    }
  }

  /** One call, with a deadline and errors of this program. */
  async call<T>(
    key: string,
    signal: AbortSignal | undefined,
    call: (options: CallOptions) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.attempt(signal, call);
    } catch (error) {
      throw this.failure(error, key, signal);
    }
  }

  failure(error: unknown, key: string, signal: AbortSignal | undefined) {
    return absFailure(error, { store: this.store, key, signal });
  }

  error(code: StoreErrorCode, message: string): StoreError {
    return new StoreError(code, message, { store: this.store });
  }

  async head(
    key: string,
    signal: AbortSignal | undefined,
  ): Promise<(StoredObject & { upload?: string | undefined }) | undefined> {
    try {
      const found = await this.attempt(signal, ({ abortSignal }) =>
        this.at(key).getProperties({ abortSignal }),
      );
      if (found.metadata?.[DISCARDED] !== undefined) return undefined;
      return {
        key,
        size: found.contentLength ?? 0,
        modified: found.lastModified ?? new Date(0),
        tag: plainTag(found.etag),
        sha256: found.metadata?.["sha256"],
        upload: found.metadata?.["upload"],
        lockedUntil: found.immutabilityPolicyExpiresOn,
      };
    } catch (error) {
      const failure = this.failure(error, key, signal);
      // A HEAD has no body, so a missing container looks much like a missing blob.
      const code = failure instanceof StoreError ? failure.code : undefined;
      if (code === "STORE_NOT_FOUND" && !failure.message.includes("ContainerNotFound")) {
        return undefined;
      }
      throw failure;
    }
  }

  async refuseExisting(key: string, signal: AbortSignal | undefined): Promise<void> {
    if ((await this.head(key, signal)) === undefined) return;
    throw this.error("STORE_EXISTS", `${key}: exists already`);
  }
}

/** Headers have an ETag in quotes, listings without. */
export function plainTag(tag: string | undefined): string | undefined {
  return tag?.replace(/^"(.*)"$/, "$1");
}
