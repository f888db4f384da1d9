import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runProcess } from "../test/support/program/processes.js";

/** What a case must at least do with its bytes: `seal` also writes them. */
export type LeastWork = "seal" | "open" | "hash";

const SOURCE = fileURLToPath(new URL("../../bench/least_cpu.cc", import.meta.url));
/** The quickest run counts: everything else on the machine only adds to it. */
const RUNS = 3;

/** Builds `least_cpu.cc`; returns what measures CPU seconds for work on so many bytes in `folder`. */
export async function buildLeastCpu(
  folder: string,
): Promise<(work: LeastWork, bytes: number) => Promise<number>> {
  const program = join(folder, "least-cpu");
  await run("g++", "-O2", "-std=c++17", "-o", program, SOURCE, "-lcrypto");
  return async (work, bytes) => {
    const seconds: number[] = [];
    for (let i = 0; i < RUNS; i++)
      seconds.push(Number(await run(program, work, folder, `${bytes}`)));
    return Math.min(...seconds);
  };
}

async function run(program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProcess(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: exit code ${code}\n${stderr}`);
  return stdout.toString();
}
