import { UsageError } from "../errors.js";
import { nearest } from "../nearest.js";
import { quoted } from "../quoted.js";
import type { Declaration, Declarations } from "../settings/kinds.js";
import type { Setting, SettingValue } from "../settings/setting.js";
import type { Command } from "./command.js";

/**
 * Rejects words that yargs-parser misreads: an empty value as the default, `constructor` as its own, a toggle with
 * `=1` as off.
 *
 * @throws UsageError
 */
export function checkWords(words: readonly string[], command: Command, flags: Declarations): void {
  for (const word of words) {
    const [, name = "", value] = /^--([^=]+)(=.*)?$/s.exec(word) ?? [];
    if (name in Object.prototype) throw unknownFlag(name, command, flags);
    if (value === undefined || !Object.hasOwn(flags, name)) continue;
    if (value === "=") throw new UsageError(`--${name} is empty`);
    if (flags[name]?.type === "boolean" && value !== "=true" && value !== "=false") {
      throw new UsageError(`--${name} takes no value but true or false`);
    }
  }
}

/** The typed settings among what yargs parsed. @throws UsageError for unknown flags and wrong values */
export function typedSettings(
  parsed: Readonly<Record<string, unknown>>,
  command: Command,
  flags: Declarations,
): Setting[] {
  return Object.entries(parsed).flatMap(([name, value]): Setting[] => {
    if (name === "_" || name === "$0" || value === undefined) return [];
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (flag === undefined) throw unknownFlag(name, command, flags);
    return [{ name, value: typedValue(name, flag, value), source: "typed", shown: `--${name}` }];
  });
}

function typedValue(name: string, { type, array }: Declaration, value: unknown): SettingValue {
  const items = Array.isArray(value) ? value : [value];
  if (array !== true && Array.isArray(value)) throw new UsageError(`--${name} is given twice`);
  if (type === "boolean") return value === true;
  if (items.includes(false)) {
    throw new UsageError(`--no-${name} is not supported: --${name} takes a value`);
  }
  if (items.includes("")) throw new UsageError(`--${name} is empty`);
  return array === true ? items.map(String) : String(value);
}

/** The words besides flags. @throws UsageError for more of them than the command takes */
export function argumentsOf(words: unknown, { name, argument }: Command): string[] {
  const given = Array.isArray(words) ? words.map(String) : [];
  const extra = given[argument === undefined ? 0 : 1];
  if (extra === undefined) return given;
  throw new UsageError(`${name} takes no argument ${quoted(extra)}`, {
    hint: `see backuptool ${name} --help`,
  });
}

function unknownFlag(name: string, command: Command, flags: Declarations): UsageError {
  const near = nearest(name, Object.keys(flags));
  return new UsageError(`${command.name} has no flag ${name.length === 1 ? "-" : "--"}${name}`, {
    hint: near === undefined ? `see backuptool ${command.name} --help` : `did you mean --${near}?`,
  });
}
