import { UsageError } from "../errors.js";
import { refuseUnknown, refuseUnparsable } from "./check-flags.js";
import type { Command } from "./command.js";
import { COMMANDS } from "./commands.js";
import { commonFlags, type Flags } from "./flags.js";
import { type Parsed, parseWords } from "./parse-words.js";
import { settle } from "./precedence.js";
import type { Terminal } from "./process/terminal.js";
import type { Setting } from "./setting.js";
import { configPath, settingsOfEnvironment, settingsOfFile, withoutReplaced } from "./settings.js";

/**
 * The arguments of a command: from `words`, the command line after its name, then from variables, then from the
 * configuration file.
 *
 * @throws UsageError
 */
export async function parseArguments(
  words: readonly string[],
  command: Command,
  env: Terminal["env"],
): Promise<{ args: Parsed; env: Terminal["env"] }> {
  const flags: Flags = { ...command.flags, ...commonFlags };
  refuseUnparsable(words, command, flags);
  const typed = parseWords(words, command.name, flags);
  const path = configPath(textOf(typed["config"]), env);
  const kept = settle(command.name, [
    settingsTyped(typed, command, flags),
    settingsOfEnvironment(flags, env),
    await settingsOfFile(flags, path === undefined ? [] : await allFlags(), path),
  ]);
  const settings = kept.filter(
    ({ name, source, borrowed }) =>
      source !== "typed" && borrowed === undefined && Object.hasOwn(flags, name),
  );
  const args = parseWords(words, command.name, flags, {
    ...defaultsOf(flags),
    ...Object.fromEntries(settings.map(({ name, value }) => [name, value])),
  });
  refuseUnknown(args, command, flags);
  checkChoices(args, command, flags);
  return { args, env: withoutReplaced(env, kept) };
}

/** The names of the flags of all commands: one file may configure several. */
async function allFlags(): Promise<string[]> {
  const commands = await Promise.all(COMMANDS.map(({ load }) => load()));
  return [commonFlags, ...commands.map(({ flags }) => flags)].flatMap(Object.keys);
}

function checkChoices(args: Parsed, { name: command }: Command, flags: Flags): void {
  for (const [name, { choices }] of Object.entries(flags)) {
    const value = args[name];
    if (choices === undefined || typeof value !== "string" || choices.includes(value)) continue;
    const known = choices.map((one) => JSON.stringify(one)).join(", ");
    throw new UsageError(`--${name} is ${JSON.stringify(value)}, not one of ${known}`, {
      hint: `see backuptool ${command} --help`,
    });
  }
}

function defaultsOf(flags: Flags): Parsed {
  return Object.fromEntries(
    Object.entries(flags).flatMap(([name, flag]) =>
      flag.default === undefined ? [] : [[name, flag.default]],
    ),
  );
}

/** The command itself is typed too: it may contradict a setting. */
function settingsTyped(typed: Parsed, { name: command }: Command, flags: Flags): Setting[] {
  const source = "typed";
  const settings = Object.keys(flags).flatMap((name): Setting[] => {
    const value = typed[name];
    return value === undefined ? [] : [{ name, value, source, shown: `--${name}` }];
  });
  return [{ name: command, value: true, source, shown: command }, ...settings];
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
