import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Result } from "./processes.js";

const MOST_TRIES = 5;

/** Runs a program that a test disturbs; repeats it when it ended before that, as on a busy machine. */
export async function disturbed(run: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    const result = await run();
    if (result.code !== 0 || tries === MOST_TRIES) return result;
  }
}

/** Polls every few milliseconds, until the program has ended. */
export async function until(
  child: ChildProcess,
  come: () => boolean | Promise<boolean>,
  everyMs = 2,
): Promise<void> {
  while (child.exitCode === null && child.signalCode === null && !(await come())) {
    await sleep(everyMs);
  }
}
