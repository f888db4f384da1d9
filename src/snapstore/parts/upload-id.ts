import { randomBytes } from "node:crypto";

/** An id with the start time of the upload: 25 characters, hex digits and a dash. */
export function newUploadId(now = Date.now()): string {
  return `${now.toString(16).padStart(12, "0")}-${randomBytes(6).toString("hex")}`;
}

/** Start time of the upload; undefined for an invalid id. */
export function uploadStarted(id: string): Date | undefined {
  const [, time] = /^([0-9a-f]{12})-[0-9a-f]{12}$/.exec(id) ?? [];
  return time === undefined ? undefined : new Date(Number.parseInt(time, 16));
}
