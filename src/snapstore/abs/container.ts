import type { BlockBlobClient, ContainerClient } from "@azure/storage-blob";
import { throwIfAborted } from "../../errors.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { Deadline } from "../../flow/deadline.js";
import type { StoredObject } from "../store.js";
import { absFailure, isAbsError } from "./failure.js";

/** Timeout without a byte in either direction, milliseconds. */
export const IDLE_MS = 60_000;

/**
 * Metadata of a blob that is being removed. Azure has no call to discard uncommitted blocks: an empty block list is
 * committed, and the empty blob deleted. In between the blob does not count as an object.
 */
export const DISCARDED = "backuptooldiscarded";

/** Whether a blob is the marker of a folder: an empty blob with the folder's name. */
export function isFolderMarker(metadata: Readonly<Record<string, string>> | undefined): boolean {
  return metadata?.["hdi_isfolder"] === "true";
}

/** Attempts of a write with `ifAbsent` while discarded blobs are in its way. */
const MAX_ATTEMPTS = 5;

export interface CallOptions {
  readonly abortSignal: AbortSignal;
  readonly onProgress: () => void;
}

/** Preconditions of a write. */
export type Conditions = { ifNoneMatch: "*" } | { ifMatch: string } | Record<string, never>;

/** A container, below the prefix of a store. */
export class AbsContainer {
  readonly store: string;
  readonly client: ContainerClient;
  readonly idleMs: number;
  readonly #prefix: string;

  constructor(client: ContainerClient, store: string, prefix: string, idleMs: number) {
    this.client = client;
    this.store = store;
    this.idleMs = idleMs;
    this.#prefix = prefix === "" ? "" : `${prefix}/`;
  }

  /** The blob name of a key or prefix. */
  nameOf(key: string): string {
    return this.#prefix + key;
  }

  keyOf(name: string): string {
    return name.slice(this.#prefix.length);
  }

  at(key: string): BlockBlobClient {
    return this.client.getBlockBlobClient(this.nameOf(key));
  }

  /** Runs one call with a deadline. Throws errors of the SDK: see {@link failure}. */
  async attempt<T>(
    signal: AbortSignal | undefined,
    call: (options: CallOptions) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(signal);
    const deadline = new Deadline(this.idleMs, signal);
    try {
      return await call({ abortSignal: deadline.signal, onProgress: () => deadline.restart() });
    } catch (error) {
      throw deadline.explain(error);
    } finally {
      deadline.end();
    }
  }

  /** Runs one call with a deadline, and maps its errors. */
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

  /**
   * Runs a write. With `ifAbsent` it replaces no blob but a {@link DISCARDED} one, whose removal was interrupted.
   * Throws errors of the SDK.
   */
  async write<T>(
    key: string,
    { ifAbsent, signal }: { ifAbsent: boolean; signal: AbortSignal | undefined },
    call: (options: CallOptions & { conditions: Conditions }) => Promise<T>,
  ): Promise<T> {
    let conditions: Conditions = ifAbsent ? { ifNoneMatch: "*" } : {};
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(signal, (how) => call({ ...how, conditions }));
      } catch (error) {
        const taken = isAbsError(error, "BlobAlreadyExists", "ConditionNotMet");
        if (!ifAbsent || !taken || attempt === MAX_ATTEMPTS) throw error;
        // The blob is overwritten, since its deletion would discard the staged blocks of the new one.
        const discarded = await this.#discardedTag(key, signal);
        if (discarded === undefined && "ifNoneMatch" in conditions) throw error;
        conditions = discarded === undefined ? { ifNoneMatch: "*" } : { ifMatch: discarded };
      }
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
      if (found.metadata?.[DISCARDED] !== undefined || isFolderMarker(found.metadata)) {
        return undefined;
      }
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
      // The response to a HEAD has no body: only the error code tells a missing container from a missing blob.
      const code = failure instanceof StoreError ? failure.code : undefined;
      if (code === "STORE_NOT_FOUND" && !failure.message.includes("ContainerNotFound")) {
        return undefined;
      }
      throw failure;
    }
  }

  async #discardedTag(key: string, signal: AbortSignal | undefined): Promise<string | undefined> {
    try {
      const { metadata, etag } = await this.attempt(signal, ({ abortSignal }) =>
        this.at(key).getProperties({ abortSignal }),
      );
      return metadata?.[DISCARDED] === undefined ? undefined : etag;
    } catch (error) {
      if (isAbsError(error, "BlobNotFound")) return undefined;
      throw error;
    }
  }

  async rejectExisting(key: string, signal: AbortSignal | undefined): Promise<void> {
    if ((await this.head(key, signal)) === undefined) return;
    throw this.error("STORE_EXISTS", `${key}: exists already`);
  }
}

/** Headers have the ETag in quotes, listings without. */
export function plainTag(tag: string | undefined): string | undefined {
  return tag?.replace(/^"(.*)"$/, "$1");
}
