import { settingsOfFile } from "../settings/config-file.js";
import { commonSettings } from "../settings/declarations.js";
import { settingsOfEnvironment } from "../settings/environment.js";
import type { Declarations } from "../settings/kinds.js";
import { effectiveSettings } from "../settings/precedence.js";
import type { Setting } from "../settings/setting.js";
import { argumentsOf, checkWords, typedSettings } from "./check-flags.js";
import type { Command } from "./command.js";
import { COMMANDS } from "./commands.js";
import { parseWords } from "./parse-words.js";
import type { Terminal } from "./process/terminal.js";

interface Arguments {
  readonly settings: readonly Setting[];
  /** The words besides flags. */
  readonly words: readonly string[];
}

/**
 * The arguments of a command: from `given`, the command line after its name, then from variables, then from the
 * configuration file.
 *
 * @throws UsageError
 */
export async function parseArguments(
  given: readonly string[],
  command: Command,
  env: Terminal["env"],
): Promise<Arguments> {
  const flags: Declarations = { ...command.flags, ...commonSettings };
  checkWords(given, command, flags);
  const parsed = parseWords(given, command.name, flags);
  const words = argumentsOf(parsed["_"], command);
  // The command itself is typed too: it may contradict a setting.
  const name: Setting = { name: command.name, value: true, source: "typed", shown: command.name };
  const typed = [name, ...typedSettings(parsed, command, flags)];
  // A command without settings works also where those for others are wrong.
  if (Object.keys(command.flags).length === 0) return { settings: typed, words };
  const variables = settingsOfEnvironment(flags, env);
  const path = [...typed, ...variables].find((setting) => setting.name === "config")?.value;
  const file =
    path === undefined ? [] : await settingsOfFile(flags, await allFlags(), String(path));
  return { settings: effectiveSettings(command.name, [typed, variables, file]), words };
}

/** The names of the flags of all commands: one file may configure several. */
async function allFlags(): Promise<string[]> {
  const commands = await Promise.all(COMMANDS.map(({ load }) => load()));
  return [commonSettings, ...commands.map(({ flags }) => flags)].flatMap(Object.keys);
}
