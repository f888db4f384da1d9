#!/usr/bin/env node
import { setMaxListeners } from "node:events";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { waitForEachAddress } from "./process/connection-attempts.js";
import { ExitCode } from "./exit-codes.js";
import { takeEnvironment } from "./process/environment.js";
import { endAfterSignals, endProcess, forbidCoreDumps } from "./process/end.js";
import { runProgram } from "./program.js";
import type { Terminal } from "./process/terminal.js";

/** How long an operation may take to stop before the process ends anyway, ms. */
const STOP_WITHIN_MS = 10_000;
/** How long after that, or after a second signal, the process ends even if a thread blocks, ms. */
const END_WITHIN_MS = 3000;
/** How long a handle that a library left open may keep the process after all output, ms. */
const LINGER_MS = 2000;

forbidCoreDumps();

// Warnings of libraries to their developers are noise to users.
process.noDeprecation = true;
process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";

const stop = new AbortController();
// Each running operation adds a listener.
setMaxListeners(0, stop.signal);
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
for (const name of SIGNALS) {
  process.on(name, () => {
    // A second signal ends the process at once.
    if (stop.signal.aborted) endProcess(ExitCode.interrupted);
    stop.abort();
    setTimeout(() => endProcess(ExitCode.interrupted), STOP_WITHIN_MS).unref();
  });
}
// The listeners above do not run while the main thread is blocked.
endAfterSignals(SIGNALS, STOP_WITHIN_MS + END_WITHIN_MS, END_WITHIN_MS, ExitCode.interrupted);
const output: Terminal["output"] = { closed: false, failure: undefined };
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // A reader that goes away early (`| head`) ends the output; it is not an error.
  if (error.code === "EPIPE") output.closed = true;
  else output.failure ??= error;
  stop.abort();
});
// Messages are lost with standard error; the command goes on.
process.stderr.on("error", () => {});

function version(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    try {
      const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      if (name === "backuptool") return String(version);
    } catch {
      // Not this folder.
    }
    if (dirname(folder) === folder) return "unknown";
  }
}

const { stdin, stdout, stderr } = process;
const env = takeEnvironment();
waitForEachAddress();
const terminal = { stdin, stdout, stderr, env, output, signal: stop.signal };
const code = await runProgram(process.argv.slice(2), terminal, version());
process.exitCode = code;

let pending = 2;
for (const stream of [stdout, stderr]) {
  // Waits for a slow reader. If the reader is gone, the callback gets an error, and the process ends as well.
  stream.write("", () => {
    if (--pending === 0) setTimeout(() => endProcess(code), LINGER_MS).unref();
  });
}
