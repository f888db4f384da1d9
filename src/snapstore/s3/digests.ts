import { createHash, webcrypto } from "node:crypto";
import type { S3Client } from "@aws-sdk/client-s3";
import { digestOnce } from "../parts/part.js";

/** SHA-256 on a thread of libuv's pool, in lower-case hex. */
export function sha256Hex(bytes: Uint8Array): Promise<string> {
  return digestOnce(bytes, async () =>
    Buffer.from(await webcrypto.subtle.digest("SHA-256", bytes)).toString("hex"),
  );
}

/** Value of Content-MD5 (RFC 1864). Runs on the main thread. */
export function contentMd5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("base64");
}

/** ETag of a multipart object: MD5 of the MD5s of the parts, and their number. Undefined if a part has another tag. */
export function compositeTag(partTags: readonly string[]): string | undefined {
  if (!partTags.every((tag) => /^[0-9a-f]{32}$/.test(tag))) return undefined;
  const hash = createHash("md5");
  for (const tag of partTags) hash.update(Buffer.from(tag, "hex"));
  return `${hash.digest("hex")}-${partTags.length}`;
}

/** Without quotes and weakness prefix. */
export function plainTag(etag: string | undefined): string | undefined {
  const plain = etag?.replace(/^W\//, "").replace(/^"(.*)"$/, "$1");
  return plain === "" ? undefined : plain;
}

/**
 * Signs each request with the digest of its body (`x-amz-content-sha256`, AWS Signature Version 4): the server verifies
 * the bytes, and the signer need not hash them on the main thread.
 */
export function signWithDigests(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const { request } = args;
      if (hasBytes(request)) {
        request.headers["x-amz-content-sha256"] = await sha256Hex(request.body);
      }
      return await next(args);
    },
    { step: "build", name: "body-digest" },
  );
}

interface RequestWithBytes {
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

function hasBytes(request: unknown): request is RequestWithBytes {
  if (typeof request !== "object" || request === null) return false;
  return "headers" in request && "body" in request && request.body instanceof Uint8Array;
}
