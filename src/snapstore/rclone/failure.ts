import type { StoreError, StoreErrorCode } from "../errors.js";
import type { HttpAnswer } from "../http/client.js";
import { refusalError } from "../http/failure.js";

/** The error for an answer that is no success. Leaves out its `input`, which is what this program sent. */
export async function rcloneFailure(
  answer: HttpAnswer,
  context: { store: string; key: string },
): Promise<StoreError> {
  const text = await answer.text();
  let words = text;
  try {
    words = String(JSON.parse(text).error);
  } catch {}
  return rcloneError(answer.status, words, context);
}

export function rcloneError(
  status: number,
  words: string,
  context: { store: string; key: string },
): StoreError {
  const rule = RULES.find(({ pattern }) => pattern.test(words));
  const code = rule?.code ?? (status === 404 ? "STORE_NOT_FOUND" : "STORE_FAILED");
  return refusalError({ status, words, code }, context);
}

/** rclone answers 500 to all but a missing file; its remotes choose the words. */
const RULES: readonly { pattern: RegExp; code: StoreErrorCode }[] = [
  { pattern: /not a directory/, code: "STORE_NOT_FOUND" },
  {
    pattern: /SlowDown|TooManyRequests|too many requests|rate.?limit|\b429\b/i,
    code: "STORE_THROTTLED",
  },
  { pattern: /ObjectLock|WORM|retention|immutab|read-only file system/i, code: "STORE_IMMUTABLE" },
  { pattern: /no space left|quota|insufficient storage|\b507\b/i, code: "STORE_FULL" },
  {
    pattern:
      /access ?denied|permission denied|forbidden|unauthori[sz]ed|InvalidAccessKey|SignatureDoesNotMatch|\b40[13]\b/i,
    code: "STORE_CREDENTIALS",
  },
  {
    pattern:
      /connection re|no such host|time.?out|unexpected EOF|broken pipe|corrupted|\b50[0234]\b/i,
    code: "STORE_TRANSIENT",
  },
];
