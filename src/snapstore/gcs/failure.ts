import type { StoreError, StoreErrorCode } from "../errors.js";
import type { HttpResponse } from "../http/client.js";
import { type CallContext, responseError } from "../http/failure.js";

/** The error for a response with an error status. Reads its body. */
export async function gcsFailure(
  response: HttpResponse,
  context: CallContext,
): Promise<StoreError> {
  const { detail, reason } = parseError(await response.text());
  const { status } = response;
  const code = codeOf(status, reason, detail);
  return responseError(
    { status, retryAfter: response.header("retry-after"), detail, code },
    context,
  );
}

/** https://cloud.google.com/storage/docs/json_api/v1/status-codes */
function codeOf(status: number, reason: string, detail: string): StoreErrorCode | undefined {
  if (status === 403 && /retention|hold/i.test(`${reason} ${detail}`)) return "STORE_IMMUTABLE";
  if (/rateLimitExceeded/i.test(reason)) return "STORE_THROTTLED";
  if (reason === "quotaExceeded") return "STORE_FULL";
  // The bytes were corrupted on the way.
  if (status === 400 && /(md5|crc32c|hash)/i.test(detail)) return "STORE_TRANSIENT";
  return undefined;
}

/** JSON from the API, plain text from uploads. */
function parseError(text: string): { detail: string; reason: string } {
  try {
    const { error } = JSON.parse(text);
    return {
      detail: String(error?.message ?? ""),
      reason: String(error?.errors?.[0]?.reason ?? ""),
    };
  } catch {
    return { detail: text.replace(/<[^>]*>/g, " "), reason: "" };
  }
}
