import { StoreError } from "../errors.js";
import type { S3Bucket } from "./bucket.js";
import { contentMd5 } from "./digests.js";

interface Body {
  readonly Body: Uint8Array;
  readonly ContentMD5?: string;
}

/**
 * Sends bytes in one call. The signature covers their SHA-256. Content-MD5 is sent once the server has asked for it, as
 * AWS does for buckets that lock objects by default.
 */
export async function sendBytes<T>(
  bucket: S3Bucket,
  key: string,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
  send: (body: Body, how: { abortSignal?: AbortSignal }) => Promise<T>,
): Promise<T> {
  const attempt = () => {
    const body = { Body: bytes, ...(bucket.wantsMd5 && { ContentMD5: contentMd5(bytes) }) };
    return bucket.call(key, signal, (how) => send(body, how));
  };
  try {
    return await attempt();
  } catch (error) {
    if (bucket.wantsMd5 || !asksForMd5(error)) throw error;
    bucket.wantsMd5 = true;
    return await attempt();
  }
}

function asksForMd5(error: unknown): boolean {
  return error instanceof StoreError && /content-md5/i.test(error.message);
}
