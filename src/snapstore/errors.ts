import { BackupToolError } from "../errors.js";

/** Why a call of a store failed. Only STORE_THROTTLED and STORE_TRANSIENT are worth another try. */
export type StoreErrorCode =
  /** Too many requests: 429, 503 SlowDown, 509. */
  | "STORE_THROTTLED"
  /** Connection lost, timeout, 5xx, a body cut short or with other bytes than announced. */
  | "STORE_TRANSIENT"
  /** Unknown, not allowed, expired, clock skew: 401, 403. */
  | "STORE_CREDENTIALS"
  /** Object lock, retention, legal hold, a read-only folder. */
  | "STORE_IMMUTABLE"
  /** The key, bucket or container does not exist. */
  | "STORE_NOT_FOUND"
  /** `ifAbsent` was given and the object exists. */
  | "STORE_EXISTS"
  /** Quota, full disk. */
  | "STORE_FULL"
  /** Another try would fail the same way. */
  | "STORE_FAILED";

/** A call to a snapstore that failed. */
export class StoreError extends BackupToolError {
  declare readonly code: StoreErrorCode;
  /** The store, as `SnapStore.name` has it. */
  readonly store: string;
  /** The message without the store. */
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
