import { commonSettings } from "../settings/declarations.js";
import { toggle } from "../settings/kinds.js";
import type { Command } from "./command.js";
import type { CommandEntry } from "./commands.js";
import { parserOf } from "./parser.js";

/** The widest line of the help. */
const MAX_COLUMNS = 80;

const ANSWERED = {
  help: { ...toggle, describe: "Print this help; also -h" },
  version: { ...toggle, describe: "Print the version" },
} as const;

const START = `Each flag but --yes can also be set by a variable, BACKUPTOOL_<FLAG>, or in the
file of --config. Typed flags take precedence, then variables.

To start with: back up the etcd at 127.0.0.1:2379 into the folder backup.dir,
check the backup, and restore it into another etcd:

  backuptool create --skip-ceph
  backuptool inspect
  backuptool restore --skip-ceph --etcd 10.0.0.2:2379

For more examples: backuptool <command> --help
`;

/** The help of the whole program. */
export async function programHelp(
  commands: readonly CommandEntry[],
  columns?: number,
): Promise<string> {
  const about = "Encrypted backups of etcd and Ceph.\n\nUsage: backuptool <command> [flags]";
  return `${await listed(about, commands, columns)}\n${START}`;
}

/** The help of a word that begins several commands, such as `snapshot`. */
export async function groupHelp(
  word: string,
  commands: readonly CommandEntry[],
  columns?: number,
): Promise<string> {
  return await listed(`Usage: backuptool ${word} <command> [flags]`, commands, columns);
}

async function listed(
  usage: string,
  commands: readonly CommandEntry[],
  columns = MAX_COLUMNS,
): Promise<string> {
  const parser = parserOf({}).usage(usage).wrap(Math.min(MAX_COLUMNS, columns));
  for (const { name, describe } of commands) parser.command(name, describe);
  parser.options(ANSWERED).group(Object.keys(ANSWERED), "Flags:");
  return `${await parser.getHelp()}\n`;
}

/** The help of one command, with its flags in groups. */
export async function commandHelp(
  { name, argument, describe, groups, flags, examples }: Command,
  columns = MAX_COLUMNS,
): Promise<string> {
  const words = ["backuptool", name, ...(argument === undefined ? [] : [argument]), "[flags]"];
  const general = { ...commonSettings, ...ANSWERED };
  const parser = parserOf({ ...flags, ...general })
    .usage(`${describe}\n\nUsage: ${words.join(" ")}`)
    .wrap(Math.min(MAX_COLUMNS, columns));
  for (const [heading, group] of Object.entries({ ...groups, General: general })) {
    parser.group(Object.keys(group), `${heading}:`);
  }
  const shown = examples.map(([line, does]) => `  # ${does}\n${folded(line)}\n`);
  return `${await parser.getHelp()}\n\nExamples:\n${shown.join("")}`;
}

/** A command line of at most 80 columns each, with backslashes so that it can still be copied. */
function folded(line: string): string {
  const lines = [" "];
  for (const part of line.replace("$0", "backuptool").split(/ (?=--|\| )/)) {
    const last = `${lines.at(-1)} ${part}`;
    if (last.length <= MAX_COLUMNS - 2) lines[lines.length - 1] = last;
    else lines.push(`    ${part}`);
  }
  return lines.join(" \\\n");
}
