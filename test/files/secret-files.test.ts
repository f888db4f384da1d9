import { execFileSync, spawn } from "node:child_process";
import { chmodSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { backuptool, PROGRAM } from "../support/program/backuptool.js";
import { newFolder } from "../support/folders.js";
import { runProcess } from "../support/program/processes.js";

const NONE = { BACKUPTOOL_PASSPHRASE: undefined };
/** A command that reads its passphrase first, and then finds no backup. */
const COMMAND = ["inspect", "--outputdir", "/nonexistent/backup"];
const NO_BACKUP = /\/nonexistent\/backup/;

function file(mode: number, content = "a passphrase\n"): string {
  const path = join(newFolder(), "secret");
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

function run(args: readonly string[], env: Record<string, string | undefined> = {}) {
  return backuptool([...COMMAND, ...args], { env: { ...NONE, ...env } });
}

test("a passphrase file that every user may read or change is used, with a warning", async (t) => {
  for (const [mode, may] of [
    [0o644, "read"],
    [0o604, "read"],
    [0o602, "change"],
  ] as const) {
    const path = file(mode);
    const link = join(newFolder(), "as-kubernetes-mounts-it");
    symlinkSync(path, link);
    for (const given of [path, link]) {
      const { stderr } = await run(["--passphrase-file", given, "--quiet"]);
      const octal = mode.toString(8).padStart(4, "0");
      t.true(stderr.includes(`the passphrase file "${given}" has mode ${octal}`), stderr);
      t.true(stderr.includes(`every user of this machine may ${may} it`), stderr);
      t.regex(stderr, NO_BACKUP);
    }
  }
});

test("a passphrase file for its owner or its group alone gives no warning", async (t) => {
  for (const mode of [0o600, 0o400, 0o640, 0o440]) {
    const { stderr } = await run(["--passphrase-file", file(mode)]);
    t.notRegex(stderr, /mode/);
    t.regex(stderr, NO_BACKUP);
  }
});

test("credentials that every user may read give a warning, whichever way they are named", async (t) => {
  const json = JSON.stringify({ accessKeyID: "AKIA", secretAccessKey: "s3cr3t" });
  const open = file(0o644, json);
  const folder = newFolder();
  writeFileSync(join(folder, "accessKeyID"), "AKIA");
  writeFileSync(join(folder, "secretAccessKey"), "s3cr3t", { mode: 0o644 });
  const store = [
    "list",
    "--store",
    "s3://bucket",
    "--store-endpoint-override",
    "http://127.0.0.1:9",
  ];
  for (const [name, path, where] of [
    ["AWS_APPLICATION_CREDENTIALS_JSON", open, open],
    ["AWS_APPLICATION_CREDENTIALS", folder, join(folder, "secretAccessKey")],
  ] as const) {
    const { stderr } = await backuptool(["snapshot", ...store], { env: { [name]: path } });
    t.true(stderr.includes(`"${where}" has mode 0644`), stderr);
    t.true(stderr.includes(name), stderr);
    t.false(stderr.includes("accessKeyID of"), "what is no secret is not warned of");
    t.false(stderr.includes("s3cr3t"));
  }
});

test("an etcd key and a keyring that every user may read give warnings", async (t) => {
  const key = file(0o644);
  const { stderr } = await backuptool(
    [
      "restore",
      "--outputdir",
      "/nonexistent/backup",
      "--etcd",
      "https://127.0.0.1:9",
      "--cert",
      file(0o644),
      "--key",
      key,
      "--keyring",
      key,
      "--cephconf",
      "/nonexistent",
    ],
    {},
  );
  t.true(stderr.includes(`the key of the etcd client "${key}" has mode 0644`), stderr);
  t.true(stderr.includes(`the keyring "${key}" has mode 0644`), stderr);
  t.false(stderr.includes("--cert"), "a certificate is no secret");
});

test("a passphrase is read from a pipe, named or not, in pieces", async (t) => {
  const { stdout, stderr } = await sh(
    `"$0" "$@" --passphrase-file <(printf secret; sleep 0.3; printf 'more\\n') 2>&1`,
  );
  t.regex(stdout + stderr, NO_BACKUP);
  const fifo = join(newFolder(), "fifo");
  execFileSync("mkfifo", [fifo]);
  const writer = spawn("sh", ["-c", 'sleep 0.3; echo secret > "$0"', fifo]);
  t.teardown(() => writer.kill());
  t.regex((await run(["--passphrase-file", fifo])).stderr, NO_BACKUP);
});

test("a pipe without data is an empty passphrase", async (t) => {
  const { stdout } = await sh(`"$0" "$@" --passphrase-file <(true) 2>&1`);
  t.regex(stdout, /the passphrase is empty/);
});

test("a pipe without a writer and an endless file are errors", async (t) => {
  const fifo = join(newFolder(), "fifo");
  execFileSync("mkfifo", [fifo]);
  const store = ["snapshot", "list", "--store", "s3://bucket"];
  for (const [path, why] of [
    [fifo, "no process writes to it"],
    ["/dev/zero", "longer than 1048576 bytes"],
    [newFolder(), "EISDIR"],
  ] as const) {
    const [passphrase, config, credentials, key] = await Promise.all([
      run(["--passphrase-file", path]),
      run(["--config", path]),
      backuptool(store, { env: { AWS_APPLICATION_CREDENTIALS_JSON: path } }),
      backuptool([
        "clear",
        "--yes",
        "--skip-ceph",
        "--etcd",
        "https://127.0.0.1:9",
        "--cacert",
        path,
      ]),
    ]);
    for (const { code, stderr } of [passphrase, config]) {
      t.is(code, 2);
      t.true(stderr.includes(why), stderr);
    }
    // Credentials may be a folder.
    t.is(credentials.code, 2);
    t.true(credentials.stderr.includes(path), credentials.stderr);
    t.is(key.code, 1);
    t.true(key.stderr.includes(`the TLS file ${path} for etcd cannot be read`), key.stderr);
  }
});

test("a signal ends the wait for a pipe whose writer is silent", async (t) => {
  const fifo = join(newFolder(), "fifo");
  execFileSync("mkfifo", [fifo]);
  // Opened for reading and writing, so that there is a writer, which is silent.
  const holder = spawn("sh", ["-c", 'exec 3<>"$0"; echo ready; exec sleep 600', fifo]);
  t.teardown(() => holder.kill());
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  const { code, signal } = await backuptool([...COMMAND, "--passphrase-file", fifo], {
    env: NONE,
    onStart: (child) => {
      const waiting = setInterval(() => {
        if (!hasOpen(child.pid, fifo)) return;
        clearInterval(waiting);
        child.kill("SIGTERM");
      }, 50);
    },
  });
  t.is(signal, null);
  t.is(code, 130);
  // Settings are read before anything else runs: that wait must end too.
  const settings = await backuptool([...COMMAND, "--config", fifo], { env: NONE });
  t.is(settings.code, 2);
  t.regex(settings.stderr, /nothing comes out of the pipe/);
});

function hasOpen(pid: number | undefined, path: string): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((fd) => readlinkSync(join(folder, fd)) === path);
  } catch {
    // The process has ended, or closed the file meanwhile.
    return false;
  }
}

/** Runs the program as `"$0" "$@"` of a line of bash. */
async function sh(line: string): Promise<{ stdout: string; stderr: string }> {
  const run = `program() { "${process.execPath}" "${PROGRAM}" "$@"; }; ${line.replace('"$0"', "program")}`;
  const { stdout, stderr } = await runProcess("bash", ["-c", run, "bash", ...COMMAND], {
    env: NONE,
  });
  return { stdout: stdout.toString(), stderr };
}
