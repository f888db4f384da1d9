import type { StoreError, StoreErrorCode } from "../errors.js";
import type { HttpAnswer } from "../http/client.js";
import { type CallContext, refusalError } from "../http/failure.js";

/** The error for an answer that is no success. Reads its body. */
export async function gcsFailure(answer: HttpAnswer, context: CallContext): Promise<StoreError> {
  const { words, reason } = reasonIn(await answer.text());
  const { status } = answer;
  const code = codeOf(status, reason, words);
  return refusalError({ status, retryAfter: answer.header("retry-after"), words, code }, context);
}

/** https://cloud.google.com/storage/docs/json_api/v1/status-codes */
function codeOf(status: number, reason: string, words: string): StoreErrorCode | undefined {
  if (status === 403 && /retention|hold/i.test(`${reason} ${words}`)) return "STORE_IMMUTABLE";
  if (/rateLimitExceeded/i.test(reason)) return "STORE_THROTTLED";
  if (reason === "quotaExceeded") return "STORE_FULL";
  // The server received other bytes than were sent.
  if (status === 400 && /(md5|crc32c|hash)/i.test(words)) return "STORE_TRANSIENT";
  return undefined;
}

/** JSON from the API, plain text from uploads. */
function reasonIn(text: string): { words: string; reason: string } {
  try {
    const { error } = JSON.parse(text);
    return {
      words: String(error?.message ?? ""),
      reason: String(error?.errors?.[0]?.reason ?? ""),
    };
  } catch {
    return { words: text.replace(/<[^>]*>/g, " "), reason: "" };
  }
}
