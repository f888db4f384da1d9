import { S3ServiceException } from "@aws-sdk/client-s3";
import { BackupToolError, InterruptedError } from "../../errors.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { networkFailure } from "../http/network-failure.js";
import { retryAfterMs } from "../http/retry-after.js";

interface Context {
  readonly store: string;
  /** Empty for what is not about one object. */
  readonly key: string;
  readonly signal?: AbortSignal | undefined;
}

/** The error of this program for what the SDK threw. Errors of this program pass through. */
export function s3Failure(error: unknown, { store, key, signal }: Context): BackupToolError {
  if (error instanceof BackupToolError) return error;
  if (signal?.aborted) return new InterruptedError(undefined, { cause: error });
  const about = key === "" ? "" : `${key}: `;
  const refusal = refusalOf(error);
  if (refusal !== undefined) {
    const { name, status, words } = refusal;
    const code = codeOf(refusal);
    const message = `${about}${WORDS[code] ?? "refused"} (${name}${status ? `, ${status}` : ""}${words})`;
    const retry = retryAfterMs(refusal.retryAfter, Date.now());
    const hint = HINTS[name] ?? HINTS[code];
    return new StoreError(code, message, { store, cause: error, retryAfterMs: retry, hint });
  }
  const network = networkFailure(error);
  if (network !== undefined) {
    const { code, message, hint } = network;
    return new StoreError(code, about + message, { store, cause: error, hint });
  }
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  if (name === "CredentialsProviderError" || name === "TokenProviderError") {
    const hint = HINTS["STORE_CREDENTIALS"];
    return new StoreError("STORE_CREDENTIALS", about + message, { store, cause: error, hint });
  }
  const hint = /^Region is missing/.test(message) ? NO_REGION : undefined;
  return new StoreError("STORE_FAILED", about + message, { store, cause: error, hint });
}

const NO_REGION = "set AWS_REGION or AWS_DEFAULT_REGION, or the region of the AWS profile";

interface Refusal {
  readonly name: string;
  readonly status: number;
  readonly words: string;
  readonly retryAfter: string | undefined;
}

function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof S3ServiceException)) return garbledAnswer(error);
  const { name, message, $metadata, $response } = error;
  const told = message === "" || message === "UnknownError" || message === name;
  return {
    name,
    status: $metadata.httpStatusCode ?? 0,
    words: told ? "" : `: ${message}`,
    retryAfter: $response?.headers["retry-after"],
  };
}

/** An answer that is not what S3 says: a proxy's page, or bytes gone wrong. It has a status at least. */
function garbledAnswer(error: unknown): Refusal | undefined {
  if (!(error instanceof Error) || !("$response" in error)) return undefined;
  const { $response } = error;
  if (!isAnswer($response)) return undefined;
  const retryAfter = $response.headers["retry-after"];
  return { name: "no answer of S3", status: $response.statusCode, words: "", retryAfter };
}

interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
}

function isAnswer(value: unknown): value is Answer {
  if (typeof value !== "object" || value === null) return false;
  if (!("statusCode" in value) || typeof value.statusCode !== "number") return false;
  return "headers" in value && typeof value.headers === "object" && value.headers !== null;
}

function codeOf({ name, status, words, retryAfter }: Refusal): StoreErrorCode {
  const known = BY_NAME[name];
  if (known !== undefined) return known;
  if (/object.?lock|retention|legal.?hold|\bWORM\b/i.test(words) && status < 500) {
    return "STORE_IMMUTABLE";
  }
  if (status === 429 || status === 509 || (status === 503 && retryAfter !== undefined)) {
    return "STORE_THROTTLED";
  }
  if (status === 401 || status === 403) return "STORE_CREDENTIALS";
  if (status === 404) return "STORE_NOT_FOUND";
  if (status === 507) return "STORE_FULL";
  if (status === 501) return "STORE_FAILED";
  return status >= 500 || status === 408 || status < 400 ? "STORE_TRANSIENT" : "STORE_FAILED";
}

const BY_NAME: Readonly<Record<string, StoreErrorCode>> = {
  SlowDown: "STORE_THROTTLED",
  Throttling: "STORE_THROTTLED",
  ThrottlingException: "STORE_THROTTLED",
  RequestLimitExceeded: "STORE_THROTTLED",
  TooManyRequests: "STORE_THROTTLED",
  RequestTimeout: "STORE_TRANSIENT",
  OperationAborted: "STORE_TRANSIENT",
  ConditionalRequestConflict: "STORE_TRANSIENT",
  BadDigest: "STORE_TRANSIENT",
  XAmzContentSHA256Mismatch: "STORE_TRANSIENT",
  IncompleteBody: "STORE_TRANSIENT",
  ExpiredToken: "STORE_CREDENTIALS",
  InvalidToken: "STORE_CREDENTIALS",
  TokenRefreshRequired: "STORE_CREDENTIALS",
  InvalidAccessKeyId: "STORE_CREDENTIALS",
  QuotaExceeded: "STORE_FULL",
  InsufficientStorage: "STORE_FULL",
  XMinioStorageFull: "STORE_FULL",
  ObjectLocked: "STORE_IMMUTABLE",
};

const WORDS: Partial<Record<StoreErrorCode, string>> = {
  STORE_THROTTLED: "the store asks for less",
  STORE_TRANSIENT: "failed for now",
  STORE_CREDENTIALS: "not allowed",
  STORE_NOT_FOUND: "not found",
  STORE_FULL: "no room left",
  STORE_IMMUTABLE: "locked",
};

const HINTS: Readonly<Record<string, string>> = {
  STORE_CREDENTIALS: "check the store's keys and what they are allowed to do",
  STORE_FULL: "make room, or raise the quota",
  NoSuchBucket: "make the bucket, or check its name",
  RequestTimeTooSkewed: "set the clock of this machine",
  AuthorizationHeaderMalformed: "check the store's region",
  PermanentRedirect: "check the store's region and endpoint",
};
