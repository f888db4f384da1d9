import { commonSettings } from "../../settings/declarations.js";
import type { Declarations } from "../../settings/kinds.js";
import { PROVIDERS, SCHEMES } from "../../snapstore/settings/location.js";
import type { Command } from "../command.js";
import { COMMANDS, findCommand } from "../commands.js";
import type { Terminal } from "../process/terminal.js";
import type { snapshotNames as SnapshotNames } from "./snapshot-names.js";

/** Instead of candidates: the shell completes the name of a file or a folder. */
const FILES = [":files"];
const FOLDERS = [":folders"];

const FILE_FLAGS = [
  ...["config", "passphrase-file", "new-passphrase-file"],
  ...["cacert", "cert", "key", "cephconf", "keyring"],
];
const FOLDER_FLAGS = ["outputdir", "to", "with-base"];
const STORES = [...Object.keys(SCHEMES).map((scheme) => `${scheme}://`), "file://", "rclone:"];

/**
 * What can take the place of the last of `words`, the command line after the name of the program. Never fails, and
 * writes nothing.
 */
export async function candidates(
  words: readonly string[],
  env: Terminal["env"],
): Promise<readonly string[]> {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? "";
  const command = await findCommand(before);
  if (command === undefined) {
    const depth = before.length;
    const names = COMMANDS.map(({ name }) => name.split(" ")).filter((name) =>
      before.every((word, i) => word === name[i]),
    );
    const next = names.flatMap((name) => name.slice(depth, depth + 1));
    return beginning(current, depth === 0 ? [...new Set(next), "--help", "--version"] : next);
  }
  const given = before.slice(command.name.split(" ").length);
  const flags = { ...command.flags, ...commonSettings };
  const [, assigned, value = ""] = /^--([^=]+)=(.*)$/s.exec(current) ?? [];
  const flag = assigned ?? /^--([^=]+)$/.exec(given.at(-1) ?? "")?.[1] ?? "";
  if (takesValue(flags, flag)) {
    const typed = assigned === undefined ? given.slice(0, -1) : given;
    const prefix = assigned === undefined ? "" : `--${flag}=`;
    const found = await values(flag, assigned === undefined ? current : value, {
      command,
      flags,
      typed,
      env,
    });
    return found === FILES || found === FOLDERS
      ? found
      : beginning(
          current,
          found.map((one) => `${prefix}${one}`),
        );
  }
  const named = current.startsWith("-") ? [] : await argumentsOf(command, given, env);
  return beginning(current, named.length > 0 ? named : flagsLeft(flags, given));
}

interface Line {
  readonly command: Command;
  readonly flags: Declarations;
  /** The words between the command and the flag. */
  readonly typed: readonly string[];
  readonly env: Terminal["env"];
}

async function values(flag: string, value: string, line: Line): Promise<readonly string[]> {
  const choices = line.flags[flag]?.choices;
  if (choices !== undefined) return choices.map(String);
  if (FILE_FLAGS.includes(flag)) return FILES;
  if (FOLDER_FLAGS.includes(flag)) return FOLDERS;
  if (flag.endsWith("storage-provider")) return PROVIDERS;
  if (flag === "store" || flag.endsWith("-store")) {
    return value.startsWith("file://") ? FOLDERS : STORES;
  }
  if (flag !== "snapshot" && flag !== "incremental-over") return [];
  const names = await snapshotNames(line.command, line.typed, line.env);
  if (names.length > 0) return ["latest", ...names];
  return flag === "snapshot" ? ["latest"] : FOLDERS;
}

/** What the one argument of a command can be; nothing once it is typed. */
async function argumentsOf(
  command: Command,
  given: readonly string[],
  env: Terminal["env"],
): Promise<readonly string[]> {
  const flags = { ...command.flags, ...commonSettings };
  const typed = given.some(
    (word, i) => !word.startsWith("-") && !takesValue(flags, given[i - 1]?.slice(2) ?? ""),
  );
  if (command.argument === undefined || typed) return [];
  if (command.argument === "[bash|zsh]") return ["bash", "zsh"];
  const names = await snapshotNames(command, given, env);
  return command.argument.includes("latest") ? ["latest", ...names] : names;
}

/** The flags that can still be typed. */
function flagsLeft(flags: Declarations, given: readonly string[]): string[] {
  const typed = given.map((word) => word.split("=")[0]);
  const names = [...Object.keys(flags), "help"];
  return names
    .filter((name) => flags[name]?.array === true || !typed.includes(`--${name}`))
    .map((name) => `--${name}`);
}

/** Loaded when it is needed: most completions need neither stores nor settings. */
async function snapshotNames(...line: Parameters<typeof SnapshotNames>): Promise<string[]> {
  return await (await import("./snapshot-names.js")).snapshotNames(...line);
}

function takesValue(flags: Declarations, name: string): boolean {
  return Object.hasOwn(flags, name) && flags[name]?.type === "string";
}

function beginning(start: string, all: readonly string[]): string[] {
  return all.filter((one) => one.startsWith(start));
}
