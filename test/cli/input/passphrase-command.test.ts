import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { CommandComplaints } from "../../../src/settings/command-complaints.js";
import { backuptool } from "../../support/program/backuptool.js";
import { newFolder } from "../../support/folders.js";

const SECRET = "hunter2hunter2";

function run(command: string, args: readonly string[] = []) {
  return backuptool(
    ["inspect", "--outputdir", "/nonexistent/backup", "--passphrase-command", command, ...args],
    { env: { BACKUPTOOL_PASSPHRASE: undefined } },
  );
}

test("no error repeats the words of a command that fails", async (t) => {
  for (const [command, how] of [
    [`: ${SECRET}; exit 7`, "failed with exit code 7"],
    [`${SECRET}`, "names a program that does not exist (exit code 127)"],
    [`/etc/../${SECRET}/x 1 2`, "names a program that does not exist (exit code 127)"],
    [`/etc/passwd ${SECRET}`, "names a program that cannot be run (exit code 126)"],
    [`echo "${SECRET}`, "failed with exit code 2"],
    [`: ${SECRET}; kill -KILL $$`, "was ended by SIGKILL"],
  ] as const) {
    for (const args of [[], ["--verbose"], ["--json"]]) {
      const { code, stdout, stderr } = await run(command, args);
      t.is(code, 1);
      t.true(stderr.includes(`the passphrase command ${how}`), stderr);
      t.false(stderr.includes(SECRET), stderr);
      t.false(stdout.includes(SECRET));
    }
  }
});

test("nor does the error of a command that is longer than an argument may be", async (t) => {
  const config = join(newFolder(), "config.yaml");
  const line = `passphrase-command: ": ${SECRET} ${"x".repeat(200_000)}"\n`;
  writeFileSync(config, line, { mode: 0o600 });
  const args = ["inspect", "--outputdir", "/nonexistent/backup", "--config", config, "--verbose"];
  const { code, stderr } = await backuptool(args, { env: { BACKUPTOOL_PASSPHRASE: undefined } });
  t.is(code, 1);
  t.regex(stderr, /cannot be started \(E2BIG\)/);
  t.false(stderr.includes(SECRET));
});

test("what the command itself has to say is passed on, with nothing that acts on the terminal", async (t) => {
  const { stderr } = await run("printf 'the vault is \\033[31mlocked\\n' >&2; exit 7");
  t.is(
    stderr,
    "the vault is \\x1b[31mlocked\nbackuptool: the passphrase command failed with exit code 7; run it by hand to see what is wrong with it (--passphrase-command)\n",
  );
});

test("a command that prints without end is an error", async (t) => {
  const { code, stderr } = await run("yes");
  t.is(code, 1);
  t.regex(stderr, /prints more than 1048576 bytes/);
});

test("a process that the command leaves behind does not keep the program", async (t) => {
  const { code, stderr } = await run("sleep 20 > /dev/null & echo word");
  t.is(code, 1);
  t.regex(stderr, /nonexistent/);
});

test("a question is passed on before its line ends, and lines of the shell never are", (t) => {
  let passed = "";
  const complaints = new CommandComplaints("/bin/sh", (text) => {
    passed += text;
  });
  const seen = (text: string): string => {
    complaints.add(Buffer.from(text));
    return passed;
  };
  t.is(seen("touch the key: "), "touch the key: ");
  t.is(seen("thanks\n"), "touch the key: thanks\n");
  t.is(seen("/bin/s"), "touch the key: thanks\n");
  t.is(seen("h: 1: secret: not found"), "touch the key: thanks\n");
  t.is(seen("\n/bin/ls: fine"), "touch the key: thanks\n/bin/ls: fine");
  complaints.end();
  t.is(passed, "touch the key: thanks\n/bin/ls: fine\n");
});

test("what the command says is bounded", (t) => {
  let length = 0;
  const complaints = new CommandComplaints("/bin/sh", (text) => {
    length += text.length;
  });
  for (let i = 0; i < 1000; i++) complaints.add(Buffer.from(`${"x".repeat(1000)}\n`));
  t.true(length > 60_000 && length < 70_000, String(length));
});
