import { setImmediate as nextTurn } from "node:timers/promises";
import type { Argv } from "yargs";
import { BackupToolError, InterruptedError, UsageError } from "../errors.js";
import type { Command } from "./command.js";
import { cat } from "./commands/cat.js";
import { clear } from "./commands/clear.js";
import { convert } from "./commands/convert.js";
import { copy } from "./commands/copy.js";
import { create } from "./commands/create.js";
import { doctor } from "./commands/doctor.js";
import { inspect } from "./commands/inspect.js";
import { restore } from "./commands/restore.js";
import { snapshotDelete } from "./commands/snapshot-delete.js";
import { snapshotList } from "./commands/snapshot-list.js";
import { snapshotPrune } from "./commands/snapshot-prune.js";
import { snapshotVerify } from "./commands/snapshot-verify.js";
import { ExitCode, exitCodeOf } from "./exit-codes.js";
import { failureLine, failureStack } from "./output/failure.js";
import { commonFlags, type Flags } from "./flags.js";
import { jsonFailure } from "./output/json-event.js";
import { nearest } from "../nearest.js";
import { answer, examplesOf, parserOf } from "./parser.js";
import { settle } from "./precedence.js";
import { refuseUnknown, refuseUnparsable } from "./check-flags.js";
import { Session } from "./session.js";
import type { Setting } from "./setting.js";
import { configPath, settingsOfEnvironment, settingsOfFile, withoutReplaced } from "./settings.js";
import type { Terminal } from "./process/terminal.js";

const COMMANDS: readonly Command[] = [
  create,
  inspect,
  clear,
  restore,
  cat,
  convert,
  snapshotList,
  snapshotVerify,
  snapshotDelete,
  snapshotPrune,
  copy,
  doctor,
];

/** Runs one command line; resolves with the exit code. */
export async function runProgram(
  argv: readonly string[],
  terminal: Terminal,
  version: string,
): Promise<number> {
  const json = argv.includes("--json");
  let verbose = argv.includes("--verbose");
  let session: Session | undefined;
  try {
    const chosen = COMMANDS.find(({ name }) =>
      name.split(" ").every((word, i) => word === argv[i]),
    );
    const parsed = await parse(argv, chosen, terminal, version);
    if (parsed === undefined || chosen === undefined) return ExitCode.done;
    const { args, env } = parsed;
    verbose = args["verbose"] === true;
    session = new Session(args, { ...terminal, env }, version);
    const code = await chosen.run(args, session);
    // A write that failed is told of a moment later.
    await nextTurn();
    if (terminal.output.failure !== undefined) throw terminal.output.failure;
    return code;
  } catch (cause) {
    session?.end();
    const error = meant(cause, terminal);
    const code = exitCodeOf(error);
    // `| head` has what it wants; only who is left with half a result has to hear of it.
    if (terminal.output.closed && code === ExitCode.interrupted && !hintOf(error)) {
      return code;
    }
    if (session?.json ?? json) terminal.stdout.write(`${jsonFailure(error, code)}\n`);
    const expected = error instanceof BackupToolError;
    terminal.stderr.write(`${failureLine(error)}\n`);
    if (verbose || !expected) terminal.stderr.write(`${failureStack(error)}\n`);
    return code;
  } finally {
    session?.end();
  }
}

const HELP: readonly string[] = ["--help", "-h", "--version"];
/** What stands in the place of a command and is answered by yargs. */
const INFORMING: readonly string[] = [...HELP, "completion", "--get-yargs-completions"];

type Parsed = Readonly<Record<string, unknown>>;

/** Undefined when yargs has already answered: help, version or completion. */
async function parse(
  argv: readonly string[],
  chosen: Command | undefined,
  terminal: Terminal,
  version: string,
): Promise<{ args: Parsed; env: Terminal["env"] } | undefined> {
  const flags: Flags = { ...chosen?.flags, ...commonFlags };
  const parser = parserOf(COMMANDS, chosen, flags, terminal, version);
  if (chosen === undefined) {
    const [first] = argv;
    if (first === undefined) {
      terminal.stderr.write(`${await parser.getHelp()}\n`);
      throw new UsageError("no command is given");
    }
    const ofGroup = COMMANDS.filter(({ name }) => name.startsWith(`${first} `));
    if (ofGroup.length > 0 && !HELP.includes(argv[1] ?? "")) throw unknownInGroup(argv[1], ofGroup);
    if (ofGroup.length === 0 && !INFORMING.includes(first)) throw unknownCommand(first);
    await answer(parser, argv, terminal);
    return undefined;
  }
  if (argv.some((word) => HELP.includes(word))) {
    await answer(parser, argv, terminal, argv.includes("--version") ? "" : examplesOf(chosen));
    return undefined;
  }
  const words = argv.slice(chosen.name.split(" ").length);
  const known = [
    ...new Set(COMMANDS.flatMap((one) => Object.keys(one.flags))),
    ...Object.keys(commonFlags),
  ];
  refuseUnparsable(words, chosen, flags);
  const typed = await parseWords(
    parserOf(COMMANDS, chosen, withoutDefaults(flags), terminal, version),
    words,
    chosen,
  );
  const kept = settle(chosen.name, [
    settingsTyped(typed, chosen, flags),
    settingsOfEnvironment(flags, terminal.env),
    settingsOfFile(flags, known, configPath(textOf(typed["config"]), terminal.env)),
  ]);
  const settings = kept.filter(
    ({ name, source, borrowed }) =>
      source !== "typed" && borrowed === undefined && Object.hasOwn(flags, name),
  );
  parser.config(Object.fromEntries(settings.map(({ name, value }) => [name, value])));
  const parsed = await parseWords(parser, words, chosen);
  refuseUnknown(parsed, chosen, flags);
  return { args: parsed, env: withoutReplaced(terminal.env, kept) };
}

function unknownCommand(given: string): UsageError {
  if (given.startsWith("-")) {
    return new UsageError(`${JSON.stringify(given)} stands where the command should`, {
      hint: "write the command first: backuptool create --outputdir my_backup",
    });
  }
  return noCommand(given, COMMANDS);
}

/** The first word is right, the second is missing or wrong. */
function unknownInGroup(given: string | undefined, group: readonly Command[]): UsageError {
  const [word = ""] = group[0]?.name.split(" ") ?? [];
  if (given !== undefined && !given.startsWith("-")) return noCommand(`${word} ${given}`, group);
  return new UsageError(`${word} needs one more word`, {
    hint: `write ${group.map(({ name }) => `backuptool ${name}`).join(", ")}`,
  });
}

function noCommand(given: string, commands: readonly Command[]): UsageError {
  const near = nearest(
    given,
    commands.map(({ name }) => name),
  );
  return new UsageError(`there is no command ${JSON.stringify(given)}`, {
    hint: near === undefined ? "see backuptool --help" : `did you mean ${near}?`,
  });
}

async function parseWords(
  parser: Argv,
  words: readonly string[],
  chosen: Command,
): Promise<Parsed> {
  try {
    return await parser.parseAsync([...words]);
  } catch (cause) {
    throw new UsageError(wordsOf(cause), {
      cause,
      hint: `see backuptool ${chosen.name} --help`,
    });
  }
}

/** So that only what is typed has a value. */
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

/** Whatever the interruption broke off, the interruption is what happened; and it has a reason. */
function meant(error: unknown, { signal, output }: Terminal): unknown {
  const aborted = error instanceof Error && error.name === "AbortError";
  const interrupted = exitCodeOf(error) === ExitCode.interrupted || (signal.aborted && aborted);
  const { failure } = output;
  if (failure !== undefined && (interrupted || error === failure)) {
    return new BackupToolError("OUTPUT", `standard output cannot be written: ${failure.message}`, {
      cause: failure,
      hint: hintOf(error),
    });
  }
  return interrupted && aborted ? new InterruptedError("interrupted", { cause: error }) : error;
}

function hintOf(error: unknown): string | undefined {
  return error instanceof BackupToolError ? error.hint : undefined;
}

/** What yargs has to say, in one line. */
function wordsOf(cause: unknown): string {
  const words = cause instanceof Error ? cause.message : String(cause);
  return words
    .replace(/\s+/g, " ")
    .replace(/^Not enough arguments following: (\S+).*/, "--$1 needs a value")
    .replace(/^Invalid values: Argument: (\S+), Given: (.*), Choices: /, "--$1 is $2, not one of ");
}
