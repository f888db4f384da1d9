import { inspect } from "node:util";
import { BackupToolError, SettingError, errorMessage } from "../../errors.js";
import type { OperationEvent } from "../../operations/events.js";
import { printable } from "../../printable.js";
import type { Setting } from "../../settings/setting.js";

/** How messages name a setting: by its flag, or by the variable or the key of a file that set it. */
export type SettingNames = (name: string) => string;

export const flagName: SettingNames = (name) => `--${name}`;

export function settingNames(settings: readonly Setting[]): SettingNames {
  return (name) => settings.find((setting) => setting.name === name)?.shown ?? flagName(name);
}

/** One line that says what failed, on what, and what to do. */
export function failureLine(error: unknown, names = flagName): string {
  // Each is bounded alone: a long message does not push the advice out.
  const words = [messageOf(error, names), ...adviceOf(error, names)];
  return `backuptool: ${words.map(printable).join("; ")}`;
}

export function messageOf(error: unknown, names = flagName): string {
  if (error instanceof SettingError) return `${names(error.setting)} ${error.problem}`;
  return errorMessage(error);
}

/** What to do about an error. */
export function adviceOf(error: unknown, names = flagName): string[] {
  if (!(error instanceof BackupToolError)) return [];
  return error.advice.map(({ hint, settings }) => withNames(hint, settings, names));
}

/** An event whose words name the settings that they are about. */
export function namingSettings(event: OperationEvent, names: SettingNames): OperationEvent {
  if (event.type === "warning") {
    return { type: event.type, message: withNames(event.message, event.settings, names) };
  }
  if (event.type !== "check" || event.settings === undefined) return event;
  const { settings, ...check } = event;
  return check.advice === undefined
    ? { ...check, detail: withNames(check.detail, settings, names) }
    : { ...check, advice: withNames(check.advice, settings, names) };
}

function withNames(words: string, settings: readonly string[] = [], names: SettingNames): string {
  if (settings.length === 0) return words;
  const named = settings.map((setting) => {
    const [name = "", value] = setting.split("=");
    return value === undefined ? names(name) : `${names(name)} ${value}`;
  });
  return `${words} (${named.join(", ")})`;
}

/** The stack with all causes, for `--verbose`. */
export function failureStack(error: unknown): string {
  return inspect(error, { depth: 5 })
    .split("\n")
    .map((line) => printable(line))
    .join("\n");
}
