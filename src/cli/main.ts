#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { waitForEachAddress } from "./process/connection-attempts.js";
import { takeEnvironment } from "./process/environment.js";
import { endProcess, forbidCoreDumps } from "./process/end.js";
import { Signals } from "./process/signals.js";
import { runProgram } from "./program.js";
import type { Terminal } from "./process/terminal.js";

/** How long a handle that a library left open may keep the process after all output, ms. */
const LINGER_MS = 2000;

forbidCoreDumps();

// Warnings of libraries to their developers are noise to users.
process.noDeprecation = true;
process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";

const argv = process.argv.slice(2);
const signals = new Signals();
// A server says later how long it may take to stop.
if (argv[0] !== "server") signals.endInTime();
const output: Terminal["output"] = { closed: false, failure: undefined };
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // A reader that goes away early (`| head`) ends the output; it is not an error.
  if (error.code === "EPIPE") output.closed = true;
  else output.failure ??= error;
  signals.stop();
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
const serve = signals.serve.bind(signals);
const terminal = { stdin, stdout, stderr, env, output, signal: signals.signal, serve };
const code = await runProgram(argv, terminal, version());
process.exitCode = code;

let pending = 2;
for (const stream of [stdout, stderr]) {
  // Waits for a slow reader. If the reader is gone, the callback gets an error, and the process ends as well.
  stream.write("", () => {
    if (--pending === 0) setTimeout(() => endProcess(code), LINGER_MS).unref();
  });
}
