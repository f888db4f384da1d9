import yargs, { type Argv } from "yargs";
import type { Command } from "./command.js";
import { commonFlags, type Flags } from "./flags.js";
import type { Terminal } from "./process/terminal.js";

/** Reads the flags of the chosen command; without one, knows all commands for help and completion. */
export function parserOf(
  commands: readonly Command[],
  chosen: Command | undefined,
  flags: Flags,
  terminal: Terminal,
  version: string,
): Argv {
  const parser = yargs()
    .scriptName("backuptool")
    .locale("en")
    .parserConfiguration({
      "camel-case-expansion": false,
      "dot-notation": false,
      "greedy-arrays": false,
    })
    .version(version)
    .help()
    .alias("help", "h")
    .exitProcess(false)
    .fail(false)
    .wrap(Math.min(100, terminal.stdout.columns ?? 100));
  if (chosen === undefined) {
    parser.usage("$0 <command> [flags]\n\nEncrypted backups of etcd and Ceph.");
    for (const [word, group] of grouped(commands)) {
      const [only] = group;
      if (only?.name === word) {
        parser.command(word, only.describe, (one) => one.options(optionsOf(only)));
        continue;
      }
      const seconds = group.map((one) => one.name.slice(word.length + 1));
      parser.command(word, `With one more word: ${seconds.join(", ")}`, (outer) => {
        outer.usage(`$0 ${word} <command> [flags]`);
        for (const [i, one] of group.entries()) {
          outer.command(seconds[i] ?? "", one.describe, (inner) => inner.options(optionsOf(one)));
        }
        return outer;
      });
    }
    parser.completion("completion", "Print a completion script for bash or zsh");
    parser.epilogue(
      "Each flag but --yes can also be set as BACKUPTOOL_<FLAG>, or in a YAML file by --config. What is typed goes first.",
    );
    return parser;
  }
  const argument = chosen.argument === undefined ? "" : ` ${chosen.argument}`;
  parser.usage(`$0 ${chosen.name}${argument} [flags]\n\n${chosen.describe}`).options(flags);
  return parser;
}

/** By the first word of their names, in order. */
function grouped(commands: readonly Command[]): Map<string, Command[]> {
  const groups = new Map<string, Command[]>();
  for (const one of commands) {
    const [word = ""] = one.name.split(" ");
    groups.set(word, [...(groups.get(word) ?? []), one]);
  }
  return groups;
}

function optionsOf({ flags }: Command): Flags {
  return { ...flags, ...commonFlags };
}

/** Never wrapped, as yargs would, so that each can be copied. */
export function examplesOf({ examples }: Command): string {
  const lines = examples.map(
    ([line, does]) => `  # ${does}\n  ${line.replace("$0", "backuptool")}\n`,
  );
  return `\nExamples:\n${lines.join("")}`;
}

/** Help and the like: yargs prints on the console unless it is given a callback. */
export async function answer(
  parser: Argv,
  argv: readonly string[],
  terminal: Terminal,
  after = "",
): Promise<void> {
  await parser.parse([...argv], {}, (_error, _args, output) => {
    if (output !== "") terminal.stdout.write(`${output}\n${after}`);
  });
}
