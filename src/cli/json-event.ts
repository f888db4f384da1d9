import { BackupToolError } from "../errors.js";
import type { OperationEvent } from "../operations/events.js";

/**
 * An event as one line of JSON. A name that is not UTF-8 comes under `<field>Base64` instead, so that
 * nothing is lost.
 */
export function jsonEvent(event: OperationEvent): string {
  const fields: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(event)) {
    if (!(value instanceof Uint8Array)) {
      fields[field] = value;
      continue;
    }
    const text = utf8(value);
    if (text === undefined) fields[`${field}Base64`] = Buffer.from(value).toString("base64");
    else fields[field] = text;
  }
  return JSON.stringify(fields);
}

export function jsonFailure(error: unknown, exitCode: number): string {
  const known = error instanceof BackupToolError;
  return JSON.stringify({
    type: "error",
    code: known ? error.code : "UNEXPECTED",
    message: error instanceof Error ? error.message : String(error),
    ...(known && error.hint !== undefined ? { hint: error.hint } : {}),
    exitCode,
  });
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
