import { spawn, spawnSync } from "node:child_process";
import { constants } from "node:os";
import { hasFunctions, loadAddon } from "../../native-addon.js";

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

function isAddon(value: unknown): value is Addon {
  return hasFunctions(value, ["endAfterSignals", "endWithin", "forbidCoreDumps"]);
}

const addon = load();

/** Undefined where it is not built. */
function load(): Addon | undefined {
  try {
    const loaded = loadAddon("process_end");
    return isAddon(loaded) ? loaded : undefined;
  } catch {
    return undefined;
  }
}

/** Longest time that `process.exit` may take to end all threads, ms. Then the process ends without them. */
const EXIT_WITHIN_MS = 2000;

/** Core dumps would contain keys. Child processes inherit the limit. */
export function forbidCoreDumps(): void {
  if (addon !== undefined) addon.forbidCoreDumps();
  // A program of util-linux that changes the limit of another process. Without it core dumps stay allowed.
  else spawnSync("prlimit", ["--pid", String(process.pid), "--core=1:1"], { stdio: "ignore" });
}

/**
 * Ends the process with `code` at most `firstMs` after the first of `signals`, and `secondMs` after the next one, even
 * while the main thread is blocked. Must be called after `process.on` for these signals; its listeners still run.
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
 * Ends the process. `process.exit` waits for all threads, even for one that is blocked in a system call or derives a
 * key: after two seconds the process ends without them.
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
