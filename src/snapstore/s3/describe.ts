import {
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  type GetObjectLockConfigurationCommandOutput,
} from "@aws-sdk/client-s3";
import { StoreError } from "../errors.js";
import type { ObjectLock, StoreFacts } from "../store.js";
import { isRefusal, type S3Bucket } from "./bucket.js";

/** What a bucket says of itself. A user that may not ask gets the rest. */
export async function describeBucket(
  bucket: S3Bucket,
  signal: AbortSignal | undefined,
): Promise<StoreFacts> {
  const clock: { aheadMs?: number | undefined } = {};
  const asked = new GetBucketVersioningCommand({ Bucket: bucket.name });
  asked.middlewareStack.add(
    (next) => async (args) => {
      const sent = Date.now();
      const result = await next(args);
      clock.aheadMs = aheadMs(result.response, sent, Date.now());
      return result;
    },
    // Next to the wire: refusals have a date, too.
    { step: "deserialize", priority: "low", name: "date-of-the-answer" },
  );
  const versioning = await told(bucket, async () => {
    const { Status } = await bucket.call("", signal, (how) => bucket.client.send(asked, how));
    return Status === "Enabled" ? "on" : Status === "Suspended" ? "suspended" : "off";
  });
  const objectLock = await told(bucket, () => lockOf(bucket, signal));
  return {
    clockAheadMs: clock.aheadMs,
    versioning: versioning.fact,
    objectLock: objectLock.fact,
    untold: {
      ...(versioning.reason !== undefined && { versioning: versioning.reason }),
      ...(objectLock.reason !== undefined && { objectLock: objectLock.reason }),
    },
  };
}

async function lockOf(bucket: S3Bucket, signal: AbortSignal | undefined): Promise<ObjectLock> {
  const command = new GetObjectLockConfigurationCommand({ Bucket: bucket.name });
  let answer: GetObjectLockConfigurationCommandOutput;
  try {
    answer = await bucket.call("", signal, (how) => bucket.client.send(command, how));
  } catch (error) {
    if (NO_LOCK.some((name) => isRefusal(error, name))) return { enabled: false };
    throw error;
  }
  const { ObjectLockEnabled, Rule } = answer.ObjectLockConfiguration ?? {};
  const { Mode, Days, Years } = Rule?.DefaultRetention ?? {};
  const enabled = ObjectLockEnabled === "Enabled";
  if (Mode === undefined) return { enabled };
  return { enabled, everyObject: { mode: Mode, days: Days ?? 365 * (Years ?? 0) } };
}

/** Of a bucket that was made without it. radosgw of Ceph 16 has the second. */
const NO_LOCK = ["ObjectLockConfigurationNotFoundError", "ObjectLockConfigurationNotFound"];

/** A fact, or why there is none: not allowed to ask, or not known to this server. The rest throws. */
async function told<T>(
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

/** HTTP dates are cut to the second, so half of one is what is missing on average. */
function aheadMs(response: unknown, sent: number, answered: number): number | undefined {
  if (typeof response !== "object" || response === null || !("headers" in response)) {
    return undefined;
  }
  const { headers } = response;
  if (typeof headers !== "object" || headers === null || !("date" in headers)) return undefined;
  const date = Date.parse(String(headers.date));
  return Number.isNaN(date) ? undefined : date + 500 - (sent + answered) / 2;
}
