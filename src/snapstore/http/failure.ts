import { BackupToolError, InterruptedError, errorMessage } from "../../errors.js";
import { type Deadline, TimeoutError } from "../../flow/deadline.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { subjectOf } from "../key.js";
import { networkFailure } from "./network-failure.js";

export interface CallContext {
  readonly store: string;
  /** Empty for a call that is about the container. */
  readonly key: string;
  readonly signal?: AbortSignal | undefined;
}

/** An error status of a server. */
export interface ErrorResponse {
  /** Name of the error, if the protocol has one. */
  readonly name?: string | undefined;
  readonly status: number;
  readonly retryAfter?: string | undefined;
  /** From the server, without secrets. */
  readonly detail?: string | undefined;
  /** If the status alone is ambiguous. */
  readonly code?: StoreErrorCode | undefined;
  /** Default: by the code. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** The error for an error status. */
export function responseError(response: ErrorResponse, { store, key }: CallContext): StoreError {
  const { name, status, retryAfter, detail = "", cause } = response;
  const code = response.code ?? codeOfStatus(status, retryAfter !== undefined);
  const text = detail.replace(/\s+/g, " ").trim().slice(0, 300);
  const facts = [name, status, text].filter(Boolean).join(", ");
  return new StoreError(code, `${subjectOf(key)}${MESSAGES[code] ?? "rejected"} (${facts})`, {
    store,
    cause,
    retryAfterMs: retryAfterMs(retryAfter),
    hint: response.hint ?? HINTS[code],
  });
}

/** The error for a call without a response. Errors of this program pass through. */
export function callError(error: unknown, { store, key, signal }: CallContext): BackupToolError {
  if (error instanceof BackupToolError) return error;
  if (signal?.aborted) return new InterruptedError(undefined, { cause: error });
  const subject = subjectOf(key);
  const network = networkFailure(error);
  if (network !== undefined) {
    const { code, message, hint } = network;
    return new StoreError(code, subject + message, { store, cause: error, hint });
  }
  const message = errorMessage(error);
  // The response is no JSON: a page of a proxy, or corrupted bytes.
  const code = error instanceof SyntaxError ? "STORE_TRANSIENT" : "STORE_FAILED";
  return new StoreError(code, subject + message, { store, cause: error });
}

/** Milliseconds of a Retry-After header (RFC 9110, 10.2.3), which has seconds or a date. */
function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** STORE_TRANSIENT for an error that the deadline caused; any other error unchanged. */
export function deadlineError(deadline: Deadline, error: unknown, store: string): unknown {
  const explained = deadline.explain(error);
  return explained instanceof TimeoutError ? callError(explained, { store, key: "" }) : explained;
}

/** The error for a body that failed after a successful status: always retryable. */
export function bodyError(error: unknown, context: CallContext): BackupToolError {
  const failure = callError(error, context);
  if (!(failure instanceof StoreError) || failure.code !== "STORE_FAILED") return failure;
  return new StoreError("STORE_TRANSIENT", failure.reason, { store: failure.store, cause: error });
}

/** The code for a status without further information. */
export function codeOfStatus(status: number, asksToWait: boolean): StoreErrorCode {
  if (status === 429 || status === 498 || status === 509 || (status === 503 && asksToWait)) {
    return "STORE_THROTTLED";
  }
  if (status === 401 || status === 403) return "STORE_CREDENTIALS";
  if (status === 404) return "STORE_NOT_FOUND";
  if (status === 412) return "STORE_EXISTS";
  if (status === 413 || status === 507) return "STORE_FULL";
  if (status === 501) return "STORE_FAILED";
  return status >= 500 || status === 408 ? "STORE_TRANSIENT" : "STORE_FAILED";
}

const MESSAGES: Partial<Record<StoreErrorCode, string>> = {
  STORE_THROTTLED: "too many requests",
  STORE_TRANSIENT: "temporary failure",
  STORE_CREDENTIALS: "not allowed",
  STORE_NOT_FOUND: "not found",
  STORE_EXISTS: "exists already",
  STORE_FULL: "no space left",
  STORE_IMMUTABLE: "locked",
};

export const HINTS: Partial<Record<StoreErrorCode, string>> = {
  STORE_CREDENTIALS: "check the store's keys and their permissions",
  STORE_FULL: "make room, or raise the quota",
};
