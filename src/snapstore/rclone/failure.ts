import type { StoreError, StoreErrorCode } from "../errors.js";
import { responseError } from "../http/failure.js";

/** The error for a response with an error status. It leaves out `input`, which repeats the request. */
export function rcloneError(
  status: number,
  body: string,
  context: { store: string; key: string },
): StoreError {
  let detail = body;
  try {
    detail = String(JSON.parse(body).error);
  } catch {}
  const rule = RULES.find(({ pattern }) => pattern.test(detail));
  const code = rule?.code ?? (status === 404 ? "STORE_NOT_FOUND" : "STORE_FAILED");
  return responseError({ status, detail, code }, context);
}

/** rclone responds with status 500 to every failure but a missing file. The text is that of the remote. */
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
