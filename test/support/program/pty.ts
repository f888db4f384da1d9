import { fileURLToPath } from "node:url";
import { PROGRAM } from "./backuptool.js";
import { runProcess } from "./processes.js";

/** A regular expression of Python to wait for on the terminal, and the reaction of the user. */
export interface Step {
  readonly expect: string;
  readonly type?: string;
  readonly signal?: "SIGINT" | "SIGTERM" | "SIGHUP";
}

export interface TerminalResult {
  readonly code: number;
  /** The lines on the screen at the end. */
  readonly screen: string[];
  /** All bytes that were sent to the terminal. */
  readonly raw: Buffer;
  /** Standard output, which is the terminal only with `merge`. */
  readonly stdout: Buffer;
  /** Whether the settings of the terminal (echo, line mode) are as they were. */
  readonly restored: boolean;
}

interface Options {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Whether standard output is the terminal too. */
  readonly merge?: boolean;
  /** A command of the shell that runs the program, `"$0" "$@"`. */
  readonly shell?: string;
  readonly timeoutMs?: number;
}

const RUNNER = fileURLToPath(
  new URL("../../../../test/support/program/pty_run.py", import.meta.url),
);

/** Runs the built program on a pseudo-terminal of 200 by 50, without a passphrase in the environment. */
export async function onTerminal(
  args: readonly string[],
  steps: readonly Step[],
  { env = {}, cwd, merge = false, shell, timeoutMs = 300_000 }: Options = {},
): Promise<TerminalResult> {
  const program = shell === undefined ? [process.execPath, PROGRAM] : ["sh", "-c", shell, PROGRAM];
  const argv = [...program, ...args];
  const job = { argv, env: { TERM: "xterm", ...env }, steps, merge, timeoutMs };
  const { code, stdout, stderr } = await runProcess("/usr/bin/python3", [RUNNER], {
    input: JSON.stringify(job),
    env: { BACKUPTOOL_PASSPHRASE: undefined, BACKUPTOOL_PASSPHRASE_FILE: undefined },
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (code !== 0) throw new Error(`pty_run: ${stderr}`);
  const result = JSON.parse(stdout.toString());
  const raw = Buffer.from(result.screen, "base64");
  if (result.failed !== null) {
    throw new Error(`the terminal never showed ${result.failed}, but ${JSON.stringify(`${raw}`)}`);
  }
  return {
    code: result.code,
    screen: screenOf(raw.toString()),
    raw,
    stdout: Buffer.from(result.stdout, "base64"),
    restored: result.restored,
  };
}

/**
 * The screen of a terminal that has printed `text`. Knows the few escape sequences that prompts and bars use (ECMA-48:
 * CUU, CUD, CUF, CUB, CHA, ED, EL). Any other stays visible, so a test sees it.
 */
export function screenOf(text: string): string[] {
  const rows: string[][] = [];
  let row = 0;
  let column = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the screen handles them
  const tokens = text.match(/\x1b\[[?\d;]*[A-Za-z]|./gsu) ?? [];
  for (const token of tokens) {
    const [, given = "", command = ""] = /^.\[([?\d;]*)(.)$/u.exec(token) ?? [];
    const count = Number(given === "" ? 1 : given);
    while (rows.length <= row) rows.push([]);
    const line = rows[row] as string[];
    if (token === "\r") column = 0;
    else if (token === "\n") row++;
    else if (token === "\b") column = Math.max(0, column - 1);
    else if (token === "\x07" || /^[hlm]$/.test(command)) continue;
    else if (command === "A") row = Math.max(0, row - count);
    else if (command === "B") row += count;
    else if (command === "C") column += count;
    else if (command === "D") column = Math.max(0, column - count);
    else if (command === "G") column = count - 1;
    else if (command === "K") line.splice(given === "2" ? 0 : column);
    else if (command === "J") {
      line.splice(column);
      rows.length = row + 1;
    } else {
      while (line.length < column) line.push(" ");
      line[column++] = token;
    }
  }
  const lines = rows.map((line) => line.join("").trimEnd());
  while (lines.at(-1) === "") lines.pop();
  return lines;
}
