import type { ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { runProcess } from "../test/support/program/processes.js";

/** What one run of a command took. */
export interface Measure {
  /** Seconds. */
  readonly wall: number;
  readonly user: number;
  readonly system: number;
  /** Bytes. */
  readonly peak: number;
  readonly stdout: string;
}

interface MeasureOptions {
  readonly quiet?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** Exit codes that are no failure; 0 alone unless told. */
  readonly codes?: readonly number[];
  readonly onStart?: (child: ChildProcess) => void;
}

const MEASURE = fileURLToPath(new URL("../../bench/measure.py", import.meta.url));
const PROGRAM = fileURLToPath(new URL("../src/cli/main.js", import.meta.url));

/** Runs a command to its end; throws when it fails. `quiet` sends its output to /dev/null. */
export async function measure(
  command: readonly string[],
  { quiet = false, env = {}, codes = [0], onStart }: MeasureOptions = {},
): Promise<Measure> {
  const words = quiet ? ["sh", "-c", 'exec "$@" >/dev/null', "sh", ...command] : command;
  const { stdout, stderr } = await runProcess("/usr/bin/python3", [MEASURE, ...words], {
    env: { BACKUPTOOL_PASSPHRASE: "bench", ...env },
    ...(onStart === undefined ? {} : { onStart }),
  });
  const { code, ...measured } = JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "{}");
  if (!codes.includes(code)) throw new Error(`${command.join(" ")}: exit code ${code}\n${stderr}`);
  return { ...measured, stdout: stdout.toString() };
}

/** Runs our program; `work` is the time from the end of the key derivation to the exit, seconds. */
export async function measureTool(
  args: readonly string[],
  options: Pick<MeasureOptions, "env" | "codes"> = {},
): Promise<Measure & { work: number }> {
  let since = Number.NaN;
  const onStart = (child: ChildProcess): void => {
    child.stdout?.on("data", (text: Buffer) => {
      if (/^done /m.test(text.toString())) since = performance.now();
    });
  };
  const measured = await measure([process.execPath, PROGRAM, ...args, "--quiet"], {
    ...options,
    onStart,
  });
  return { ...measured, work: (performance.now() - since) / 1000 };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
