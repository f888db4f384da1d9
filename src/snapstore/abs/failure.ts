import { RestError } from "@azure/storage-blob";
import { type BackupToolError, InterruptedError } from "../../errors.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { type CallContext, callError, responseError } from "../http/failure.js";
import { subjectOf } from "../key.js";

/** Maps an error of the SDK to one of this program. */
export function absFailure(error: unknown, context: CallContext): BackupToolError {
  if (context.signal?.aborted) return new InterruptedError(undefined, { cause: error });
  if (isTruncated(error)) {
    const { store, key } = context;
    const message = `${subjectOf(key)}the response is truncated`;
    return new StoreError("STORE_TRANSIENT", message, { store, cause: error });
  }
  if (!(error instanceof RestError) || error.statusCode === undefined) {
    return callError(error, context);
  }
  // The message is left out: it may quote the signed string.
  const name = errorName(error);
  return responseError(
    {
      name,
      status: error.statusCode,
      retryAfter: error.response?.headers.get("retry-after"),
      code: codeOfName(name),
    },
    context,
  );
}

/** Whether a successful response could not be parsed. The SDK's message quotes all of it. */
function isTruncated(error: unknown): boolean {
  if (!(error instanceof RestError) || error.code !== RestError.PARSE_ERROR) return false;
  return error.statusCode === undefined || error.statusCode < 400;
}

/** Whether the server responded with one of these error codes. */
export function isAbsError(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof RestError && names.includes(errorName(error));
}

/** Azure's error code, which a response without a body has too. */
function errorName(error: RestError): string {
  return error.response?.headers.get("x-ms-error-code") ?? error.code ?? "";
}

/** https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes */
function codeOfName(name: string): StoreErrorCode | undefined {
  if (/Immutab|LegalHold/.test(name)) return "STORE_IMMUTABLE";
  return BY_NAME[name];
}

const BY_NAME: Readonly<Record<string, StoreErrorCode>> = {
  ServerBusy: "STORE_THROTTLED",
  OperationTimedOut: "STORE_TRANSIENT",
  Md5Mismatch: "STORE_TRANSIENT",
  ContainerBeingDeleted: "STORE_TRANSIENT",
  BlobAlreadyExists: "STORE_EXISTS",
  UnauthorizedBlobOverwrite: "STORE_EXISTS",
};
