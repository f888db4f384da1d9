import type { Argv } from "yargs";
import { UsageError } from "../errors.js";
import { refuseUnknown, refuseUnparsable } from "./check-flags.js";
import type { Command } from "./command.js";
import { COMMANDS } from "./commands.js";
import { commonFlags, type Flags } from "./flags.js";
import { parserOf } from "./parser.js";
import { settle } from "./precedence.js";
import type { Terminal } from "./process/terminal.js";
import type { Setting } from "./setting.js";
import { configPath, settingsOfEnvironment, settingsOfFile, withoutReplaced } from "./settings.js";

type Parsed = Readonly<Record<string, unknown>>;

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
  const typed = await parseWords(parserOf(withoutDefaults(flags)), words, command);
  const path = configPath(textOf(typed["config"]), env);
  const kept = settle(command.name, [
    settingsTyped(typed, command, flags),
    settingsOfEnvironment(flags, env),
    settingsOfFile(flags, path === undefined ? [] : await allFlags(), path),
  ]);
  const settings = kept.filter(
    ({ name, source, borrowed }) =>
      source !== "typed" && borrowed === undefined && Object.hasOwn(flags, name),
  );
  const parser = parserOf(flags).config(
    Object.fromEntries(settings.map(({ name, value }) => [name, value])),
  );
  const args = await parseWords(parser, words, command);
  refuseUnknown(args, command, flags);
  return { args, env: withoutReplaced(env, kept) };
}

/** The names of the flags of all commands: one file may configure several. */
async function allFlags(): Promise<string[]> {
  const commands = await Promise.all(COMMANDS.map(({ load }) => load()));
  return [commonFlags, ...commands.map(({ flags }) => flags)].flatMap(Object.keys);
}

async function parseWords(
  parser: Argv,
  words: readonly string[],
  { name }: Command,
): Promise<Parsed> {
  try {
    return await parser.parseAsync([...words]);
  } catch (cause) {
    throw new UsageError(messageOf(cause), { cause, hint: `see backuptool ${name} --help` });
  }
}

/** An error of yargs in one line. */
function messageOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message
    .replace(/\s+/g, " ")
    .replace(/^Not enough arguments following: (\S+).*/, "--$1 needs a value")
    .replace(/^Invalid values: Argument: (\S+), Given: (.*), Choices: /, "--$1 is $2, not one of ");
}

/** So that only typed flags have a value. */
function withoutDefaults(flags: Flags): Flags {
  return Object.fromEntries(
    Object.entries(flags).map(([name, { default: _, ...flag }]) => [name, flag]),
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
