import type { BlockBlobClient, ContainerClient } from "@azure/storage-blob";
import { throwIfAborted } from "../../errors.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { Deadline } from "../../flow/deadline.js";
import type { StoredObject } from "../store.js";
import { absFailure, isAbsRefusal } from "./failure.js";

/** Longest silence of a server, milliseconds. */
export const IDLE_MS = 60_000;

/**
 * On what a blob becomes for the moment between committing nothing, which is how Azure forgets
 * uncommitted blocks, and its removal. It is no object.
 */
export const DISCARDED = "backuptooldiscarded";

/** What Azure, and tools for it, mark a folder by: an empty blob with the folder's name. */
export function isFolderMark(metadata: Readonly<Record<string, string>> | undefined): boolean {
  return metadata?.["hdi_isfolder"] === "true";
}

/** Tries of a write that another keeps coming before. */
const MOST_WRITES = 5;

/** How a call is to be made. */
export interface CallOptions {
  readonly abortSignal: AbortSignal;
  readonly onProgress: () => void;
}

/** What must hold for a call to do anything. */
export type Conditions = { ifNoneMatch: "*" } | { ifMatch: string } | Record<string, never>;

/** A container, as a store with a prefix sees it. */
export class AbsContainer {
  readonly store: string;
  readonly client: ContainerClient;
  readonly idleMs: number;
  readonly #below: string;

  constructor(client: ContainerClient, store: string, prefix: string, idleMs: number) {
    this.client = client;
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
    return this.client.getBlockBlobClient(this.nameOf(key));
  }

  /** One call, with a deadline. Throws what the SDK threw: see {@link failure}. */
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

  /**
   * A write that replaces nothing with `ifAbsent`, but for a blob that is {@link DISCARDED}: its removal
   * broke off. Throws what the SDK threw.
   */
  async write<T>(
    key: string,
    { ifAbsent, signal }: { ifAbsent: boolean; signal: AbortSignal | undefined },
    call: (options: CallOptions & { conditions: Conditions }) => Promise<T>,
  ): Promise<T> {
    let conditions: Conditions = ifAbsent ? { ifNoneMatch: "*" } : {};
    for (let tries = 1; ; tries++) {
      try {
        return await this.attempt(signal, (how) => call({ ...how, conditions }));
      } catch (error) {
        const taken = isAbsRefusal(error, "BlobAlreadyExists", "ConditionNotMet");
        if (!ifAbsent || !taken || tries === MOST_WRITES) throw error;
        // Deleting it would take along the blocks that have been staged for what is to be there.
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
      if (found.metadata?.[DISCARDED] !== undefined || isFolderMark(found.metadata)) {
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
      // A HEAD has no body, so a missing container looks much like a missing blob.
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
      if (isAbsRefusal(error, "BlobNotFound")) return undefined;
      throw error;
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
