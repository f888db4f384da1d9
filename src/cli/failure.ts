import { inspect } from "node:util";
import { BackupToolError } from "../errors.js";

/** One line that says what failed, on what, and what to do. */
export function failureLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const hint = error instanceof BackupToolError ? error.hint : undefined;
  const line = hint === undefined ? message : `${message}; ${hint}`;
  return `backuptool: ${printable(line)}`;
}

/** The stack with all causes, for `--verbose`. */
export function failureStack(error: unknown): string {
  return inspect(error, { depth: 5 })
    .split("\n")
    .map((line) => printable(line))
    .join("\n");
}

/** Nothing that came from outside may act on the terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
