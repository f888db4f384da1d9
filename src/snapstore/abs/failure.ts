import { RestError } from "@azure/storage-blob";
import { type BackupToolError, InterruptedError } from "../../errors.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { type CallContext, callError, refusalError } from "../http/failure.js";

/** The error of this program for what the SDK threw. */
export function absFailure(error: unknown, context: CallContext): BackupToolError {
  if (context.signal?.aborted) return new InterruptedError(undefined, { cause: error });
  if (isCut(error)) {
    const { store, key } = context;
    const message = `${key === "" ? "" : `${key}: `}the answer was cut short`;
    return new StoreError("STORE_TRANSIENT", message, { store, cause: error });
  }
  if (!(error instanceof RestError) || error.statusCode === undefined) {
    return callError(error, context);
  }
  const name = refusalName(error);
  return refusalError(
    {
      status: error.statusCode,
      retryAfter: error.response?.headers.get("retry-after"),
      // The message itself may quote what was signed.
      words: name,
      code: codeOfName(name),
    },
    context,
  );
}

/** Whether what the server said, other than a refusal, is not whole; the SDK quotes all of it. */
function isCut(error: unknown): boolean {
  if (!(error instanceof RestError) || error.code !== RestError.PARSE_ERROR) return false;
  return error.statusCode === undefined || error.statusCode < 400;
}

/** Whether the server refused with one of these of its error codes. */
export function isAbsRefusal(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof RestError && names.includes(refusalName(error));
}

/** Azure's error code, also of an answer without a body. */
function refusalName(error: RestError): string {
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
