import { BackupToolError, InterruptedError } from "../../errors.js";
import { type Deadline, TimeoutError } from "../../flow/deadline.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { networkFailure } from "./network-failure.js";
import { retryAfterMs } from "./retry-after.js";

export interface CallContext {
  readonly store: string;
  /** What the call is about; empty for the container itself. */
  readonly key: string;
  readonly signal?: AbortSignal | undefined;
}

/** What a server that refuses says about it. */
export interface Refusal {
  readonly status: number;
  readonly retryAfter?: string | undefined;
  /** In the server's words, without secrets. */
  readonly words?: string | undefined;
  /** What the words mean, where the status alone does not tell. */
  readonly code?: StoreErrorCode | undefined;
}

/** The error for a call that was refused. */
export function refusalError(refusal: Refusal, { store, key }: CallContext): StoreError {
  const { status, retryAfter, words = "" } = refusal;
  const code = refusal.code ?? codeOfStatus(status, retryAfter !== undefined);
  const said = words.replace(/\s+/g, " ").trim().slice(0, 300);
  const message = `${key === "" ? "" : `${key}: `}${WORDS[code] ?? "refused"} (${status}${said === "" ? "" : `, ${said}`})`;
  const wait = retryAfterMs(retryAfter, Date.now());
  return new StoreError(code, message, { store, retryAfterMs: wait, hint: HINTS[code] });
}

/** The error for a call that got no answer. Errors of this program pass through. */
export function callError(error: unknown, { store, key, signal }: CallContext): BackupToolError {
  if (error instanceof BackupToolError) return error;
  if (signal?.aborted) return new InterruptedError(undefined, { cause: error });
  const about = key === "" ? "" : `${key}: `;
  const network = networkFailure(error);
  if (network !== undefined) {
    const { code, message, hint } = network;
    return new StoreError(code, about + message, { store, cause: error, hint });
  }
  const said = error instanceof Error ? error.message : String(error);
  // An answer that is not what it should be: a proxy's page, or bytes gone wrong.
  const code = error instanceof SyntaxError ? "STORE_TRANSIENT" : "STORE_FAILED";
  return new StoreError(code, about + said, { store, cause: error });
}

/** STORE_TRANSIENT for an error that the deadline of a try caused; any other error as it is. */
export function deadlineError(deadline: Deadline, error: unknown, store: string): unknown {
  const explained = deadline.explain(error);
  return explained instanceof TimeoutError ? callError(explained, { store, key: "" }) : explained;
}

/** The error for an answer that did not come whole: what began well may do so again, and end well. */
export function bodyError(error: unknown, context: CallContext): BackupToolError {
  const failure = callError(error, context);
  if (!(failure instanceof StoreError) || failure.code !== "STORE_FAILED") return failure;
  return new StoreError("STORE_TRANSIENT", failure.reason, { store: failure.store, cause: error });
}

/** What a status of HTTP means where nothing more is known. */
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

const WORDS: Partial<Record<StoreErrorCode, string>> = {
  STORE_THROTTLED: "the store asks for less",
  STORE_TRANSIENT: "failed for now",
  STORE_CREDENTIALS: "not allowed",
  STORE_NOT_FOUND: "not found",
  STORE_EXISTS: "exists already",
  STORE_FULL: "no room left",
  STORE_IMMUTABLE: "locked",
};

const HINTS: Partial<Record<StoreErrorCode, string>> = {
  STORE_CREDENTIALS: "check the store's credentials and what they are allowed to do",
  STORE_FULL: "make room, or raise the quota",
};
