import { randomBytes } from "node:crypto";

/** A name for an unfinished upload that tells when it began: always 25 characters, hex digits and a dash. */
export function newUploadId(now = Date.now()): string {
  return `${now.toString(16).padStart(12, "0")}-${randomBytes(6).toString("hex")}`;
}

/** When it began; undefined for what is no such name. */
export function uploadBegun(id: string): Date | undefined {
  const [, time] = /^([0-9a-f]{12})-[0-9a-f]{12}$/.exec(id) ?? [];
  return time === undefined ? undefined : new Date(Number.parseInt(time, 16));
}
