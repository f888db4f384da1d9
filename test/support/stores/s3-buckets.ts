import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  ListObjectsV2Command,
  S3Client,
} from "@aws-sdk/client-s3";
import type { S3Config } from "../../../src/snapstore/config.js";
import { env } from "../program/backuptool.js";
import { newFolder } from "../folders.js";

/** Endpoint and keys of radosgw, for its first or second user. */
export function radosgw(user: "one" | "two" = "one") {
  const number = user === "one" ? "" : "2";
  const accessKeyId = env(`S3_ACCESS${number}`);
  const secretAccessKey = env(`S3_SECRET${number}`);
  return { endpoint: env("S3_ENDPOINT"), credentials: { accessKeyId, secretAccessKey } };
}

/** A client of the SDK, for calls that a store does not have. */
export function plainClient(user: "one" | "two" = "one"): S3Client {
  return new S3Client({ ...radosgw(user), region: "us-east-1", forcePathStyle: true });
}

/** A new bucket with a random name. */
export async function newBucket(
  options: { user?: "one" | "two"; objectLock?: boolean } = {},
): Promise<string> {
  const { user, objectLock = false } = options;
  const name = `test-${randomBytes(8).toString("hex")}`;
  const client = plainClient(user);
  await client.send(
    new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: objectLock }),
  );
  client.destroy();
  return name;
}

/** Deletes the objects of a small bucket: dev clusters have little space. */
export async function emptyBucket(name: string): Promise<void> {
  const client = plainClient();
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: name }));
  for (const { Key } of Contents) await client.send(new DeleteObjectCommand({ Bucket: name, Key }));
  client.destroy();
}

export function s3Config(bucket: string, more: Partial<S3Config> = {}): S3Config {
  return { provider: "S3", container: bucket, prefix: "", ...radosgw(), ...more };
}

/** The fields of a credentials file for the program. */
export function storeFields() {
  const { endpoint, credentials } = radosgw();
  return {
    accessKeyID: credentials.accessKeyId,
    secretAccessKey: credentials.secretAccessKey,
    endpoint,
    region: "us-east-1",
    s3ForcePathStyle: true,
  };
}

/** The variables of an S3 store on radosgw, for the program. */
export function storeVariables(more: Readonly<Record<string, unknown>> = {}) {
  const file = join(newFolder(), "s3.json");
  writeFileSync(file, JSON.stringify({ ...storeFields(), ...more }), { mode: 0o600 });
  return { AWS_APPLICATION_CREDENTIALS_JSON: file };
}
