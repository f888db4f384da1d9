import { BackupToolError } from "../errors.js";

/** Why a call to a store failed. Only STORE_THROTTLED and STORE_TRANSIENT can be retried. */
export type StoreErrorCode =
  /** Too many requests: 429, 503 SlowDown, 509. */
  | "STORE_THROTTLED"
  /** Connection lost, timeout, 5xx, a body that is truncated or corrupted. */
  | "STORE_TRANSIENT"
  /** Credentials that are wrong, expired or lack a permission; clock skew: 401, 403. */
  | "STORE_CREDENTIALS"
  /** Object lock, retention, legal hold, a read-only folder. */
  | "STORE_IMMUTABLE"
  /** The key, bucket or container does not exist. */
  | "STORE_NOT_FOUND"
  /** `ifAbsent` was given and the object exists. */
  | "STORE_EXISTS"
  /** Quota, full disk. */
  | "STORE_FULL"
  /** The store holds more than this program lists. */
  | "STORE_OVERFLOW"
  /** Any other failure that a retry cannot fix. */
  | "STORE_FAILED";

/** A failed call to a snapstore. */
export class StoreError extends BackupToolError {
  declare readonly code: StoreErrorCode;
  /** `SnapStore.name` of the store. */
  readonly store: string;
  /** The message without the name of the store. */
  readonly reason: string;
  /** Milliseconds that the store asked to wait (Retry-After). */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: StoreErrorCode,
    message: string,
    options: {
      store: string;
      retryAfterMs?: number | undefined;
      cause?: unknown;
      hint?: string | undefined;
    },
  ) {
    super(code, `${options.store}: ${message}`, options);
    this.store = options.store;
    this.reason = message;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** Whether the same call may succeed later. */
  get retryable(): boolean {
    return this.code === "STORE_THROTTLED" || this.code === "STORE_TRANSIENT";
  }
}
