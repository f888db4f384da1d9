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

/** What one run of our program took; `work` and `workCpu`, in seconds, begin when the key is derived. */
export interface ToolMeasure extends Measure {
  readonly work: number;
  readonly workCpu: number;
}

interface MeasureOptions {
  readonly quiet?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** Exit codes that are no failure; 0 alone by default. */
  readonly codes?: readonly number[];
}

const MEASURE = fileURLToPath(new URL("../../bench/measure.py", import.meta.url));
const PROGRAM = fileURLToPath(new URL("../src/cli/main.js", import.meta.url));
/** Our program prints it when the key is derived. */
const KEYS_DONE = "done ";

/** Runs a command to its end; throws when it fails. `quiet` sends its output to /dev/null. */
export async function measure(
  command: readonly string[],
  options: MeasureOptions = {},
): Promise<Measure> {
  return run<Measure>(
    options.quiet ? ["sh", "-c", 'exec "$@" >/dev/null', "sh", ...command] : command,
    options,
  );
}

/** Runs our program to its end; throws when it fails. */
export async function measureTool(
  args: readonly string[],
  options: Pick<MeasureOptions, "env" | "codes"> = {},
): Promise<ToolMeasure> {
  const command = ["--since", KEYS_DONE, process.execPath, PROGRAM, ...args, "--quiet"];
  return run<ToolMeasure>(command, options);
}

/** Of a command that does not say when its key is derived: `work` and `workCpu` are of all of it. */
export async function measureWholeTool(args: readonly string[]): Promise<ToolMeasure> {
  const measured = await measure([process.execPath, PROGRAM, ...args, "--quiet"]);
  return { ...measured, work: measured.wall, workCpu: measured.user + measured.system };
}

async function run<Result extends Measure>(
  command: readonly string[],
  { env = {}, codes = [0] }: MeasureOptions,
): Promise<Result> {
  const { stdout, stderr } = await runProcess("/usr/bin/python3", [MEASURE, ...command], {
    env: { BACKUPTOOL_PASSPHRASE: "bench", ...env },
  });
  const { code, ...measured } = JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "{}");
  if (!codes.includes(code)) throw new Error(`${command.join(" ")}: exit code ${code}\n${stderr}`);
  return { ...measured, stdout: stdout.toString() };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
