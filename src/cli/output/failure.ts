import { inspect } from "node:util";
import { BackupToolError } from "../../errors.js";
import type { OperationEvent } from "../../operations/events.js";

/** One line that says what failed, on what, and what to do. */
export function failureLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  // Each is bounded alone: a long message does not push the advice out.
  return `backuptool: ${[message, ...adviceOf(error)].map(printable).join("; ")}`;
}

/** What to do about an error, with the flags that it is about. */
export function adviceOf(error: unknown): string[] {
  if (!(error instanceof BackupToolError)) return [];
  return error.advice.map(({ hint, settings }) => withFlags(hint, settings));
}

/** An event whose words name the flags of the settings that they are about. */
export function namingFlags(event: OperationEvent): OperationEvent {
  if (event.type === "warning") {
    return { type: event.type, message: withFlags(event.message, event.settings) };
  }
  if (event.type !== "check" || event.settings === undefined) return event;
  const { settings, ...check } = event;
  return check.advice === undefined
    ? { ...check, detail: withFlags(check.detail, settings) }
    : { ...check, advice: withFlags(check.advice, settings) };
}

function withFlags(words: string, settings: readonly string[] = []): string {
  if (settings.length === 0) return words;
  return `${words} (${settings.map((name) => `--${name}`).join(", ")})`;
}

/** The stack with all causes, for `--verbose`. */
export function failureStack(error: unknown): string {
  return inspect(error, { depth: 5 })
    .split("\n")
    .map((line) => printable(line))
    .join("\n");
}

/** Room for a name of 2,048 bytes with each byte escaped, and for the rest of a message. */
const MAX_CHARACTERS = 16_384;
/** Controls, and characters that are invisible or reorder others: bidi marks, zero width, U+2028 and U+2029. */
const ACTING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Text from outside, escaped and bounded, so that it cannot act on the terminal or fill it. */
export function printable(text: string): string {
  const left = text.length - MAX_CHARACTERS;
  return left > 0
    ? `${escapeActing(text.slice(0, MAX_CHARACTERS))}… (${left} more characters)`
    : escapeActing(text);
}

/** The same without the bound, for text that must be complete. */
export function escapeActing(text: string): string {
  return text.replace(ACTING, (c) => {
    const point = c.codePointAt(0) ?? 0;
    if (point < 0x100) return `\\x${point.toString(16).padStart(2, "0")}`;
    return point < 0x10000
      ? `\\u${point.toString(16).padStart(4, "0")}`
      : `\\U${point.toString(16).padStart(8, "0")}`;
  });
}

/** The same for a line of JSON, which still has the same value. */
export function escapeActingJson(json: string): string {
  return json.replace(ACTING, (c) =>
    Array.from(
      { length: c.length },
      (_, i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}
