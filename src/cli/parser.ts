import yargs, { type Argv } from "yargs";
import type { Command } from "./command.js";
import { commonFlags, type Flags } from "./flags.js";
import type { Terminal } from "./terminal.js";

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
    for (const { name, describe, flags: own } of commands) {
      parser.command(name, describe, (one) => one.options({ ...own, ...commonFlags }));
    }
    parser.completion("completion", "Print a completion script for bash or zsh");
    parser.epilogue(
      "Each flag can also be set as BACKUPTOOL_<FLAG>, or in a YAML file by --config.",
    );
    return parser;
  }
  parser.usage(`$0 ${chosen.name} [flags]\n\n${chosen.describe}`).options(flags);
  return parser;
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
