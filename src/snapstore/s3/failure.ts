import { S3ServiceException } from "@aws-sdk/client-s3";
import { BackupToolError, InterruptedError } from "../../errors.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import {
  type CallContext,
  callError,
  codeOfStatus,
  HINTS,
  responseError,
} from "../http/failure.js";
import { networkFailure } from "../http/network-failure.js";
import { subjectOf } from "../key.js";

/** Maps an error of the SDK to one of this program. Errors of this program pass through. */
export function s3Failure(error: unknown, context: CallContext): BackupToolError {
  const { store, key, signal } = context;
  if (error instanceof BackupToolError) return error;
  if (signal?.aborted) return new InterruptedError(undefined, { cause: error });
  const response = errorResponse(error);
  if (response !== undefined) {
    const hint = HINTS_BY_NAME[response.name];
    const code = codeOf(response);
    return responseError({ ...response, code, hint, cause: error }, context);
  }
  if (!(error instanceof Error) || networkFailure(error) !== undefined) {
    return callError(error, context);
  }
  const { name, message } = error;
  const missing = name === "CredentialsProviderError" || name === "TokenProviderError";
  const code = missing ? "STORE_CREDENTIALS" : "STORE_FAILED";
  const hint = /^Region is missing/.test(message) ? NO_REGION : HINTS[code];
  return new StoreError(code, subjectOf(key) + message, { store, cause: error, hint });
}

const NO_REGION = "set AWS_REGION or AWS_DEFAULT_REGION, or the region of the AWS profile";

interface S3ErrorResponse {
  readonly name: string;
  readonly status: number;
  readonly detail: string;
  readonly retryAfter: string | undefined;
}

function errorResponse(error: unknown): S3ErrorResponse | undefined {
  if (!(error instanceof S3ServiceException)) return unparsedResponse(error);
  const { name, message, $metadata, $response } = error;
  return {
    name,
    status: $metadata.httpStatusCode ?? 0,
    detail: message === "UnknownError" || message === name ? "" : message,
    retryAfter: $response?.headers["retry-after"],
  };
}

/** A response that the SDK could not parse: a page of a proxy, or corrupted bytes. */
function unparsedResponse(error: unknown): S3ErrorResponse | undefined {
  if (!(error instanceof Error) || !("$response" in error)) return undefined;
  const { $response } = error;
  if (!isHttpResponse($response)) return undefined;
  const retryAfter = $response.headers["retry-after"];
  return { name: "not an S3 response", status: $response.statusCode, detail: "", retryAfter };
}

function isHttpResponse(
  value: unknown,
): value is { statusCode: number; headers: Readonly<Record<string, string>> } {
  if (typeof value !== "object" || value === null) return false;
  if (!("statusCode" in value) || typeof value.statusCode !== "number") return false;
  return "headers" in value && typeof value.headers === "object" && value.headers !== null;
}

function codeOf({ name, status, detail, retryAfter }: S3ErrorResponse): StoreErrorCode {
  const known = CODES_BY_NAME[name];
  if (known !== undefined) return known;
  if (/object.?lock|retention|legal.?hold|\bWORM\b/i.test(detail) && status < 500) {
    return "STORE_IMMUTABLE";
  }
  return status < 400 ? "STORE_TRANSIENT" : codeOfStatus(status, retryAfter !== undefined);
}

const CODES_BY_NAME: Readonly<Record<string, StoreErrorCode>> = {
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

const HINTS_BY_NAME: Readonly<Record<string, string>> = {
  NoSuchBucket: "make the bucket, or check its name",
  RequestTimeTooSkewed: "set the clock of this machine",
  AuthorizationHeaderMalformed: "check the store's region",
  PermanentRedirect: "check the store's region and endpoint",
};
