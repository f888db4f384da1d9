import { commonSettings } from "../../settings/declarations.js";
import type { Declarations } from "../../settings/kinds.js";
import { PROVIDERS, SCHEMES } from "../../snapstore/settings/location.js";
import type { Command } from "../command.js";
import { COMMANDS, findCommand } from "../commands.js";
import type { Terminal } from "../process/terminal.js";
import type { StoredNames } from "./stored-names.js";

/** Instead of candidates: the shell completes the name of a file or a folder. */
const FILES = [":files"];
const FOLDERS = [":folders"];

const FILE_FLAGS = [
  "config",
  "passphrase-file",
  "new-passphrase-file",
  "cacert",
  "cert",
  "key",
  "cephconf",
  "keyring",
];
const FOLDER_FLAGS = ["outputdir", "to", "with-base"];
const STORES = [...Object.keys(SCHEMES).map((scheme) => `${scheme}://`), "file://", "rclone:"];

/** How long a store may take to be listed, ms. */
const ANSWER_WITHIN_MS = 1500;

/**
 * What can take the place of the last of `words`, the command line after the name of the program. Never fails, and
 * writes nothing.
 */
export async function candidates(
  words: readonly string[],
  env: Terminal["env"],
  withinMs = ANSWER_WITHIN_MS,
): Promise<readonly string[]> {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? "";
  const command = await findCommand(before);
  if (command === undefined) return beginning(current, nextWords(before));
  const flags = { ...command.flags, ...commonSettings };
  const given = before.slice(command.name.split(" ").length);
  const stored = async (typed: readonly string[]): Promise<StoredNames> => {
    // Loaded here: most completions need neither stores nor settings.
    const { storedNames } = await import("./stored-names.js");
    return await storedNames(command, typed, env, withinMs);
  };
  const assigned = /^(--([^=]+)=)(.*)$/s.exec(current);
  if (assigned !== null) {
    const [, start = "", flag = "", value = ""] = assigned;
    if (!takesValue(flags, flag)) return [];
    const found = await valueCandidates(flag, value, flags, () => stored(given));
    return isPath(found) ? found : beginning(value, found).map((one) => `${start}${one}`);
  }
  const flag = given.at(-1)?.replace(/^--/, "") ?? "";
  if (takesValue(flags, flag)) {
    const found = await valueCandidates(flag, current, flags, () => stored(given.slice(0, -1)));
    return isPath(found) ? found : beginning(current, found);
  }
  const argument = current.startsWith("-")
    ? []
    : await argumentCandidates(command, given, flags, () => stored(given));
  return beginning(current, argument.length > 0 ? argument : flagsLeft(flags, given));
}

/** The words that a name of a command can go on with. */
function nextWords(before: readonly string[]): string[] {
  const names = COMMANDS.map(({ name }) => name.split(" ")).filter((name) =>
    before.every((word, i) => word === name[i]),
  );
  const next = new Set(names.flatMap((name) => name.slice(before.length, before.length + 1)));
  return before.length === 0 ? [...next, "--help", "--version"] : [...next];
}

async function valueCandidates(
  flag: string,
  value: string,
  flags: Declarations,
  stored: () => Promise<StoredNames>,
): Promise<readonly string[]> {
  const choices = flags[flag]?.choices;
  if (choices !== undefined) return choices.map(String);
  if (FILE_FLAGS.includes(flag)) return FILES;
  if (FOLDER_FLAGS.includes(flag)) return FOLDERS;
  if (flag.endsWith("storage-provider")) return PROVIDERS;
  if (flag === "store" || flag.endsWith("-store")) {
    return value.startsWith("file://") ? FOLDERS : STORES;
  }
  if (flag !== "snapshot" && flag !== "incremental-over") return [];
  const { snapshots, bases } = await stored();
  // A moment of etcd can be made of the raw snapshot that a stream begins with.
  const isOfMoment = flag === "snapshot" && Object.hasOwn(flags, "target-revision");
  const names = [...snapshots, ...(isOfMoment ? bases : [])];
  if (names.length > 0) return ["latest", ...names];
  return flag === "snapshot" ? ["latest"] : FOLDERS;
}

/** What the one argument of a command can be; nothing once it is typed. */
async function argumentCandidates(
  { argument }: Command,
  given: readonly string[],
  flags: Declarations,
  stored: () => Promise<StoredNames>,
): Promise<readonly string[]> {
  const isTyped = given.some(
    (word, i) => !word.startsWith("-") && !takesValue(flags, given[i - 1]?.slice(2) ?? ""),
  );
  if (argument === undefined || isTyped) return [];
  if (argument === "[bash|zsh]") return ["bash", "zsh"];
  const { snapshots, streams } = await stored();
  const names = [...snapshots, ...streams];
  return argument.includes("latest") ? ["latest", ...names] : names;
}

/** The flags that can still be typed. */
function flagsLeft(flags: Declarations, given: readonly string[]): string[] {
  const typed = given.map((word) => word.split("=")[0]);
  const names = [...Object.keys(flags), "help"];
  return names
    .filter((name) => flags[name]?.array === true || !typed.includes(`--${name}`))
    .map((name) => `--${name}`);
}

function isPath(found: readonly string[]): boolean {
  return found === FILES || found === FOLDERS;
}

function takesValue(flags: Declarations, name: string): boolean {
  return Object.hasOwn(flags, name) && flags[name]?.type === "string";
}

function beginning(start: string, all: readonly string[]): string[] {
  return all.filter((one) => one.startsWith(start));
}
