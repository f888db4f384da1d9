import { spawn, spawnSync } from "node:child_process";
import { constants } from "node:os";
import { loadAddon } from "../../native-addon.js";

/** The surface of `native/process_end.cc`. */
interface Addon {
  endAfterSignals(
    signals: readonly number[],
    firstMs: number,
    secondMs: number,
    code: number,
  ): undefined;
  endWithin(ms: number, code: number): undefined;
  forbidCoreDumps(): undefined;
}

const addon = load();

function load(): Addon | undefined {
  try {
    return loadAddon("process_end") as Addon;
  } catch {
    return undefined;
  }
}

/** How long `process.exit` may take to end all threads before the process ends without them, ms. */
const EXIT_WITHIN_MS = 2000;

/** Core dumps would hold keys. Children inherit the limit. */
export function forbidCoreDumps(): void {
  if (addon !== undefined) addon.forbidCoreDumps();
  // prlimit of util-linux can change the limit of another process; without it there is no other way.
  else spawnSync("prlimit", ["--pid", String(process.pid), "--core=1:1"], { stdio: "ignore" });
}

/**
 * Ends the process with `code` at most `firstMs` after the first of `signals` and `secondMs` after the next one, even
 * while JavaScript is blocked. Call it after `process.on` for each of them; those listeners still run.
 */
export function endAfterSignals(
  signals: readonly NodeJS.Signals[],
  firstMs: number,
  secondMs: number,
  code: number,
): void {
  const numbers = signals.map((name) => constants.signals[name]);
  addon?.endAfterSignals(numbers, firstMs, secondMs, code);
}

/**
 * Ends the process. `process.exit` waits for each thread, even one that is blocked in a system call or derives a key:
 * after a moment the process ends without them.
 */
export function endProcess(code: number): never {
  if (addon !== undefined) addon.endWithin(EXIT_WITHIN_MS, code);
  else {
    const script = `sleep ${EXIT_WITHIN_MS / 1000}; kill -s KILL "$0"`;
    spawn("/bin/sh", ["-c", script, String(process.pid)], { stdio: "ignore", detached: true }).on(
      "error",
      () => {},
    );
  }
  process.exit(code);
}
