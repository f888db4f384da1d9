import { UsageError } from "../errors.js";
import type { Command } from "./command.js";
import type { Flags } from "./flags.js";
import { nearest } from "../nearest.js";

/** What yargs takes for something else: an empty value for the default, `constructor` for its own. */
export function refuseUnparsable(words: readonly string[], chosen: Command, flags: Flags): void {
  for (const word of words) {
    const [, name = "", value] = /^--([^=]+)(=.*)?$/s.exec(word) ?? [];
    if (name in Object.prototype) throw unknownFlag(name, chosen, flags);
    if (value === "=" && Object.hasOwn(flags, name)) throw new UsageError(`--${name} is empty`);
  }
}

/** What the command does not take, or takes only once or only with a value. */
export function refuseUnknown(
  parsed: Readonly<Record<string, unknown>>,
  chosen: Command,
  flags: Flags,
): void {
  const positional = parsed["_"];
  const taken = chosen.argument === undefined ? 0 : 1;
  if (Array.isArray(positional) && positional.length > taken) {
    throw new UsageError(`${chosen.name} takes no argument ${JSON.stringify(positional[taken])}`, {
      hint: `see backuptool ${chosen.name} --help`,
    });
  }
  for (const [name, value] of Object.entries(parsed)) {
    if (name === "_" || name === "$0") continue;
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (flag === undefined) {
      throw unknownFlag(name, chosen, flags);
    }
    if (!flag.array && Array.isArray(value)) throw new UsageError(`--${name} is given twice`);
    const texts = Array.isArray(value) ? value : [value];
    if (flag.type === "string" && texts.includes(false)) {
      throw new UsageError(`--no-${name} makes no sense: --${name} takes a value`);
    }
    if (flag.type === "string" && texts.includes("")) throw new UsageError(`--${name} is empty`);
  }
}

function unknownFlag(name: string, chosen: Command, flags: Flags): UsageError {
  const near = nearest(name, Object.keys(flags));
  return new UsageError(`${chosen.name} has no flag ${name.length === 1 ? "-" : "--"}${name}`, {
    hint: near === undefined ? `see backuptool ${chosen.name} --help` : `did you mean --${near}?`,
  });
}
