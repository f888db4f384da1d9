import { BackupToolError } from "../../errors.js";
import type { OperationEvent } from "../../operations/events.js";
import { adviceOf, flagName, messageOf } from "./failure.js";

/**
 * An event as one line of JSON. A name that is not UTF-8 is under `<field>Base64` instead, so that no byte is lost.
 */
export function jsonEvent(event: OperationEvent): string {
  return line(withText(event));
}

function withText(value: object): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [field, inner] of Object.entries(value)) {
    if (Array.isArray(inner)) {
      fields[field] = inner.map((item) => (isRecord(item) ? withText(item) : item));
      continue;
    }
    const text = inner instanceof Uint8Array ? utf8(inner) : inner;
    if (text === undefined && inner !== undefined) {
      fields[`${field}Base64`] = Buffer.from(inner).toString("base64");
    } else fields[field] = text;
  }
  return fields;
}

function isRecord(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

export function jsonFailure(error: unknown, exitCode: number, names = flagName): string {
  const known = error instanceof BackupToolError;
  const advice = adviceOf(error, names);
  return line({
    type: "error",
    code: known ? error.code : "UNEXPECTED",
    message: messageOf(error, names),
    ...(advice.length > 0 && { hint: advice.join("; ") }),
    exitCode,
  });
}

/** JSON.stringify does not escape DEL and the C1 controls, and a terminal may act on them. */
function line(fields: object): string {
  return JSON.stringify(fields).replace(
    /[\x7f-\x9f]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
