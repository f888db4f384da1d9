import { inspect } from "node:util";
import { BackupToolError } from "../../errors.js";

/** One line that says what failed, on what, and what to do. */
export function failureLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const hint = error instanceof BackupToolError ? error.hint : undefined;
  // Each is bounded alone: a long message does not push the hint out.
  const words = hint === undefined ? [message] : [message, hint];
  return `backuptool: ${words.map(printable).join("; ")}`;
}

/** The stack with all causes, for `--verbose`. */
export function failureStack(error: unknown): string {
  return inspect(error, { depth: 5 })
    .split("\n")
    .map((line) => printable(line))
    .join("\n");
}

/** Room for a name of 2,048 bytes with each byte escaped, and for what a message of ours says besides. */
const MAX_CHARACTERS = 16_384;
/** Controls, and what changes the order of characters or is invisible: bidi marks, zero width, U+2028 and U+2029. */
const ACTING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Nothing that came from outside may act on the terminal, or fill it. */
export function printable(text: string): string {
  const left = text.length - MAX_CHARACTERS;
  return left > 0
    ? `${escapeActing(text.slice(0, MAX_CHARACTERS))}… (${left} more characters)`
    : escapeActing(text);
}

/** The same for text that must be whole. */
export function escapeActing(text: string): string {
  return text.replace(ACTING, (c) => {
    const point = c.codePointAt(0) ?? 0;
    if (point < 0x100) return `\\x${point.toString(16).padStart(2, "0")}`;
    return point < 0x10000
      ? `\\u${point.toString(16).padStart(4, "0")}`
      : `\\U${point.toString(16).padStart(8, "0")}`;
  });
}

/** The same for a line of JSON, whose value stays as it is. */
export function escapeActingJson(json: string): string {
  return json.replace(ACTING, (c) =>
    Array.from(
      { length: c.length },
      (_, i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}
