import { setImmediate as nextTurn } from "node:timers/promises";
import { BackupToolError, InterruptedError, UsageError } from "../errors.js";
import { COMMANDS, commandsOfGroup, findCommand, unknownCommand } from "./commands.js";
import { ExitCode, exitCodeOf } from "./exit-codes.js";
import { failureLine, failureStack, type SettingNames } from "./output/failure.js";
import { jsonFailure } from "./output/json-event.js";
import type { Terminal } from "./process/terminal.js";
import type { Session } from "./session.js";

/** Runs one command line; resolves with the exit code. */
export async function runProgram(
  argv: readonly string[],
  terminal: Terminal,
  version: string,
): Promise<number> {
  let verbose = argv.includes("--verbose");
  let json = argv.includes("--json");
  let session: Session | undefined;
  try {
    // What the completion script of earlier versions runs, which may still be in a ~/.bashrc.
    if (argv[0] === "--get-yargs-completions") return ExitCode.done;
    if (argv[0] === "__complete") {
      const { candidates } = await import("./completion/candidates.js");
      terminal.stdout.write(
        (await candidates(argv.slice(1), terminal.env)).map((one) => `${one}\n`).join(""),
      );
      return ExitCode.done;
    }
    const information = await informationFor(argv, terminal, version);
    if (information !== undefined) {
      terminal.stdout.write(information);
      return ExitCode.done;
    }
    const command = await findCommand(argv);
    if (command === undefined) throw unknownCommand(argv);
    const { parseArguments } = await import("./arguments.js");
    const words = argv.slice(command.name.split(" ").length);
    const read = () => parseArguments(words, command, terminal.env);
    const given = await read();
    const { Session } = await import("./session.js");
    const readAgain = async () => (await read()).settings;
    session = new Session(given.settings, terminal, version, readAgain);
    ({ verbose, json } = session);
    const code = await command.run(given.settings, session, given.words);
    // Errors of a write arrive on the next turn.
    await nextTurn();
    if (terminal.output.failure !== undefined) throw terminal.output.failure;
    return code;
  } catch (cause) {
    session?.end();
    const names = session?.names;
    return reportFailure(actualError(cause, terminal), terminal, { json, verbose, names });
  } finally {
    session?.end();
  }
}

/** The text for `--help` and `--version`; undefined when `argv` asks for neither. */
async function informationFor(
  argv: readonly string[],
  { stdout: { columns }, stderr }: Terminal,
  version: string,
): Promise<string | undefined> {
  const [first, second = ""] = argv;
  const help = (word: string): boolean => word === "--help" || word === "-h";
  if (first === undefined) {
    const { programHelp } = await import("./help.js");
    stderr.write(`${await programHelp(COMMANDS, columns)}\n`);
    throw new UsageError("no command is given");
  }
  if (first === "--version") return `${version}\n`;
  if (help(first)) return (await import("./help.js")).programHelp(COMMANDS, columns);
  const group = commandsOfGroup(first);
  if (group.length > 0 && second === "--version") return `${version}\n`;
  if (group.length > 0 && help(second)) {
    return (await import("./help.js")).groupHelp(first, group, columns);
  }
  const asksHelp = argv.some(help);
  if (!asksHelp && !argv.includes("--version")) return undefined;
  const command = await findCommand(argv);
  if (command === undefined) return undefined;
  return asksHelp ? (await import("./help.js")).commandHelp(command, columns) : `${version}\n`;
}

/** Prints an error; returns the exit code for it. */
function reportFailure(
  error: unknown,
  { stdout, stderr, output }: Terminal,
  { json, verbose, names }: { json: boolean; verbose: boolean; names: SettingNames | undefined },
): number {
  const code = exitCodeOf(error);
  // `| head` has read what it wants: only an unfinished result is worth a message.
  if (output.closed && code === ExitCode.interrupted && !hintOf(error)) return code;
  if (json) stdout.write(`${jsonFailure(error, code, names)}\n`);
  stderr.write(`${failureLine(error, names)}\n`);
  const expected = error instanceof BackupToolError;
  if (verbose || !expected) stderr.write(`${failureStack(error)}\n`);
  return code;
}

/** An interruption or a broken standard output shows first as an error of what it stopped. */
function actualError(error: unknown, { signal, output }: Terminal): unknown {
  const aborted = error instanceof Error && error.name === "AbortError";
  const interrupted = exitCodeOf(error) === ExitCode.interrupted || (signal.aborted && aborted);
  const { failure } = output;
  if (failure !== undefined && (interrupted || error === failure)) {
    return new BackupToolError("OUTPUT", `standard output cannot be written: ${failure.message}`, {
      cause: failure,
      advice: error instanceof BackupToolError ? error.advice : [],
    });
  }
  return interrupted && aborted ? new InterruptedError("interrupted", { cause: error }) : error;
}

function hintOf(error: unknown): string | undefined {
  return error instanceof BackupToolError ? error.hint : undefined;
}
