import { spawn } from "node:child_process";
import { truncateSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { backuptool, lines, PASSPHRASE, PROGRAM } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";

let etcd: EtcdServer;
const outputdir = join(newFolder(), "backup");
let target: string[];

test.before(async (t) => {
  etcd = await EtcdServer.start();
  target = ["--skip-ceph", "--etcd", etcd.endpoint];
  for (let i = 0; i < 5; i++) await etcd.put(Buffer.from(`key${i}`), Buffer.alloc(1_000_000, i));
  const { code, stderr } = await backuptool(["create", "--outputdir", outputdir, ...target]);
  t.is(code, 0, stderr);
});
test.after.always(() => etcd?.stop());

/** A pipeline of the shell in which `$P` is the program. */
function shell(script: string) {
  const env = { P: PROGRAM, N: process.execPath, D: outputdir, BACKUPTOOL_PASSPHRASE: PASSPHRASE };
  return runProcess("bash", ["-c", script], { env });
}

test("with --json each line of standard output is one event, and there is nothing else", async (t) => {
  const folder = join(newFolder(), "json");
  const made = await backuptool(["create", "--json", "--outputdir", folder, ...target]);
  t.is(made.stderr, "");
  const events = lines(made.stdout).map((line) => JSON.parse(line));
  t.deepEqual(
    events.filter(({ type }) => type !== "progress").map(({ type }) => type),
    ["keys-start", "keys-done", "incremental-skipped", "ceph-skipped", "file-created", "etcd-done"],
  );
  t.deepEqual(events.at(-1), { type: "etcd-done", included: 5, deleted: 0 });
});

test("with --json a failure is an event too", async (t) => {
  const { code, stdout } = await backuptool(["inspect", "--json", "--outputdir", outputdir], {
    env: { BACKUPTOOL_PASSPHRASE: "wrong" },
  });
  t.is(code, 10);
  const last = JSON.parse(lines(stdout).at(-1) ?? "");
  t.is(last.type, "error");
  t.is(last.code, "WRONG_PASSPHRASE");
  t.is(last.exitCode, 10);
});

test("--quiet leaves standard error empty", async (t) => {
  const args = ["restore", "--quiet", "--outputdir", outputdir, ...target];
  const { code, stderr } = await backuptool(args);
  t.is(code, 0);
  t.is(stderr, "");
});

test("--verbose adds the stack to an error, which is one line without it", async (t) => {
  const args = ["inspect", "--outputdir", "/none"];
  const short = await backuptool(args);
  t.regex(short.stderr, /^backuptool: [^\n]+\n$/);
  const long = await backuptool([...args, "--verbose"]);
  t.true(long.stderr.startsWith(short.stderr));
  t.regex(long.stderr, /\n {4}at /);
});

test("a control character in an argument never reaches the terminal", async (t) => {
  for (const args of [
    ["\x1b[2J"],
    ["inspect", "--outputdir", "/no\x1b[2J\x9b\n"],
    ["create", "--skip-etcd", "--cephconf", "/no\x1b[2J", "--outputdir", join(newFolder(), "x")],
    ["create", "--\x1b[2J"],
    ["inspect", "--passphrase-file", "/\x1b[2J", "--verbose"],
  ]) {
    const { code, stderr } = await backuptool(args);
    t.not(code, 0);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for them
    t.notRegex(stderr, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  }
});

test("a damaged backup ends with 11", async (t) => {
  const folder = join(newFolder(), "damaged");
  await runProcess("cp", ["-r", outputdir, folder]);
  truncateSync(join(folder, "ARCHIVE00000.bin"), 1000);
  const { code, stderr } = await backuptool(["inspect", "--quiet", "--outputdir", folder]);
  t.is(code, 11);
  t.regex(stderr, /^backuptool: [^\n]*ARCHIVE00000\.bin[^\n]*\n$/);
});

test("cat writes a tar that tar reads", async (t) => {
  const { code, stdout, stderr } = await shell('$N $P cat --outputdir "$D" | tar -t');
  t.is(code, 0, stderr);
  t.regex(stdout.toString(), /^etcd\/records\//m);
});

test("a reader that closes its pipe early ends cat and inspect without output", async (t) => {
  const cat = await shell(
    '$N $P cat --quiet --outputdir "$D" | head -c 10 | wc -c; exit $PIPESTATUS',
  );
  t.is(cat.stdout.toString().trim(), "10");
  t.is(cat.stderr, "");
  t.is(cat.code, 130);
  const inspect = await shell('$N $P inspect --quiet --outputdir "$D" | head -n 1');
  t.is(lines(inspect.stdout).length, 1);
  t.is(inspect.stderr, "");
});

test("a standard output that cannot be written is a failure", async (t) => {
  for (const command of ["cat", "inspect"]) {
    const { code, stderr } = await shell(`$N $P ${command} --quiet --outputdir "$D" >/dev/full`);
    t.is(code, 1);
    t.regex(stderr, /^backuptool: standard output cannot be written: .*ENOSPC.*\n$/);
  }
});

test("a closed standard error is no reason to stop", async (t) => {
  const folder = join(newFolder(), "backup");
  const code = await new Promise((resolve) => {
    const args = [PROGRAM, "create", "--outputdir", folder, ...target];
    const env = { ...process.env, BACKUPTOOL_PASSPHRASE: PASSPHRASE };
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", "ignore", "pipe"] });
    child.stderr.destroy();
    child.on("close", resolve);
  });
  t.is(code, 0);
});
