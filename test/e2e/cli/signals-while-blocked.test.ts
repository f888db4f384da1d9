import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { backuptool, PROGRAM } from "../../support/program/backuptool.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";

/** A pipe without a writer: opening it blocks, like a file of a mount that hangs. */
function silentPipe(): string {
  const path = join(newFolder(), "pipe");
  if (spawnSync("mkfifo", [path]).status !== 0) throw new Error("mkfifo failed");
  return path;
}

/** Options of Node that run `code` beside the program. */
function beside(code: string): { NODE_OPTIONS: string } {
  const text = encodeURIComponent(`import fs from "node:fs"; ${code}`);
  return { NODE_OPTIONS: `--import=data:text/javascript,${text}` };
}

/** Blocks as soon as the program listens for signals; the loader of its modules needs the threads until then. */
function blocked(block: string): { NODE_OPTIONS: string } {
  return beside(`const timer = setInterval(() => {
    if (process.listenerCount("SIGINT") === 0) return;
    clearInterval(timer);
    process.stdout.write("blocked\\n");
    ${block}
  }, 20);`);
}

/** All threads of libuv's pool. */
const openInThreads = (pipe: string) =>
  `for (let i = 0; i < 4; i++) fs.open(${JSON.stringify(pipe)}, "r", () => {});`;
const openHere = (pipe: string) => `fs.openSync(${JSON.stringify(pipe)}, "r");`;

function runBlocked(block: string, pipe: string, signals: readonly NodeJS.Signals[]) {
  return backuptool(["inspect", "--outputdir", newFolder(), "--passphrase-file", pipe], {
    env: { ...blocked(block), BACKUPTOOL_PASSPHRASE: undefined },
    onStart: (child) => {
      child.stdout?.once("data", () => {
        for (const signal of signals) child.kill(signal);
      });
    },
  });
}

for (const signals of [["SIGINT"], ["SIGTERM"], ["SIGHUP"], ["SIGINT", "SIGTERM"]] as const) {
  test(`${signals.join(" and ")} ends the program while its threads are blocked`, async (t) => {
    const pipe = silentPipe();
    const { code, stderr } = await runBlocked(openInThreads(pipe), pipe, signals);
    t.is(code, 130, stderr);
  });

  test(`${signals.join(" and ")} ends the program while its main thread is blocked`, async (t) => {
    const pipe = silentPipe();
    const { code, stderr } = await runBlocked(openHere(pipe), pipe, signals);
    t.is(code, 130, stderr);
  });
}

test("a program that has failed ends while its threads are blocked", async (t) => {
  const { code, stderr } = await backuptool(["snapshot", "list"], {
    env: beside(`const { write } = process.stderr;
      process.stderr.write = function (...args) {
        ${openInThreads(silentPipe())}
        return write.apply(this, args);
      };`),
  });
  t.is(code, 2, stderr);
});

test("SIGINT ends the program while a key is derived", async (t) => {
  let seen = "";
  const args = ["create", "--skip-ceph", "--etcd", "127.0.0.1:1", "--kdf", "sensitive"];
  const { code, stderr } = await backuptool([...args, "--outputdir", join(newFolder(), "b")], {
    onStart: (child) => {
      child.stdout?.on("data", (text: Buffer) => {
        if (seen === "") child.kill("SIGINT");
        seen += text.toString();
      });
    },
  });
  t.is(code, 130, stderr);
  t.regex(seen, /^generating/);
});

test("a program that aborts leaves no core dump, and neither do its children", async (t) => {
  const cwd = newFolder();
  const limits = join(cwd, "limits");
  const script = `ulimit -c unlimited; exec "$N" "$P" inspect --outputdir "$D" --passphrase-command "cat /proc/self/limits >$L; sleep 5"`;
  const env = { N: process.execPath, P: PROGRAM, D: newFolder(), L: limits };
  const { signal } = await runProcess("bash", ["-c", script], {
    cwd,
    env: { ...env, BACKUPTOOL_PASSPHRASE: undefined },
    onStart: (child) => {
      const timer = setInterval(() => {
        if (!existsSync(limits) || readFileSync(limits, "utf8") === "") return;
        clearInterval(timer);
        child.kill("SIGABRT");
      }, 100);
    },
  });
  t.is(signal, "SIGABRT");
  t.regex(readFileSync(limits, "utf8"), /^Max core file size +1 +1 /m);
  t.deepEqual(readdirSync(cwd), ["limits"]);
  // Otherwise no core dump would be written here.
  if (readFileSync("/proc/sys/kernel/core_pattern", "utf8").trim().startsWith("core")) {
    const other = newFolder();
    const child = spawn("bash", ["-c", "ulimit -c unlimited; kill -ABRT $$"], { cwd: other });
    await new Promise((resolve) => child.once("exit", resolve));
    t.is(readdirSync(other).length, 1);
  }
});
