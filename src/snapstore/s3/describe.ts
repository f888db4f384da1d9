import {
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  type GetObjectLockConfigurationCommandOutput,
} from "@aws-sdk/client-s3";
import { StoreError } from "../errors.js";
import type { ObjectLock, StoreFacts } from "../store.js";
import { isS3Error, type S3Bucket } from "./bucket.js";

export async function describeBucket(
  bucket: S3Bucket,
  signal: AbortSignal | undefined,
): Promise<StoreFacts> {
  const clock: { aheadMs?: number | undefined } = {};
  const command = new GetBucketVersioningCommand({ Bucket: bucket.name });
  command.middlewareStack.add(
    (next) => async (args) => {
      const sent = Date.now();
      const result = await next(args);
      clock.aheadMs = aheadMs(result.response, sent, Date.now());
      return result;
    },
    // Low priority runs before errors are thrown: error responses have a date too.
    { step: "deserialize", priority: "low", name: "response-date" },
  );
  const versioning = await reported(bucket, async () => {
    const { Status } = await bucket.call("", signal, (how) => bucket.client.send(command, how));
    return Status === "Enabled" ? "on" : Status === "Suspended" ? "suspended" : "off";
  });
  const objectLock = await reported(bucket, () => lockOf(bucket, signal));
  return {
    clockAheadMs: clock.aheadMs,
    versioning: versioning.fact,
    objectLock: objectLock.fact,
    unreported: {
      ...(versioning.reason !== undefined && { versioning: versioning.reason }),
      ...(objectLock.reason !== undefined && { objectLock: objectLock.reason }),
    },
  };
}

/** The settings of the bucket for locks. Throws StoreError where the server does not report them. */
export async function lockOf(
  bucket: S3Bucket,
  signal: AbortSignal | undefined,
): Promise<ObjectLock> {
  const command = new GetObjectLockConfigurationCommand({ Bucket: bucket.name });
  let response: GetObjectLockConfigurationCommandOutput;
  try {
    response = await bucket.call("", signal, (how) => bucket.client.send(command, how));
  } catch (error) {
    if (NO_LOCK.some((name) => isS3Error(error, name))) return { enabled: false };
    throw error;
  }
  const { ObjectLockEnabled, Rule } = response.ObjectLockConfiguration ?? {};
  const { Mode, Days, Years } = Rule?.DefaultRetention ?? {};
  const enabled = ObjectLockEnabled === "Enabled";
  if (Mode === undefined) return { enabled };
  return { enabled, everyObject: { mode: Mode, days: Days ?? 365 * (Years ?? 0) } };
}

/** Errors for a bucket without object lock; radosgw of Ceph 16 sends the second. */
const NO_LOCK = ["ObjectLockConfigurationNotFoundError", "ObjectLockConfigurationNotFound"];

/** A fact, or why the server does not report it. Throws retryable failures. */
async function reported<T>(
  { store }: S3Bucket,
  ask: () => Promise<T>,
): Promise<{ fact?: T; reason?: string }> {
  try {
    return { fact: await ask() };
  } catch (error) {
    if (!(error instanceof StoreError) || error.retryable) throw error;
    return { reason: error.message.slice(`${store}: `.length) };
  }
}

/** HTTP dates are truncated to the second, so half a second is added. */
function aheadMs(response: unknown, sent: number, received: number): number | undefined {
  if (typeof response !== "object" || response === null || !("headers" in response)) {
    return undefined;
  }
  const { headers } = response;
  if (typeof headers !== "object" || headers === null || !("date" in headers)) return undefined;
  const date = Date.parse(String(headers.date));
  return Number.isNaN(date) ? undefined : date + 500 - (sent + received) / 2;
}
