import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import test from "ava";
import { BackupToolError, InterruptedError, UsageError } from "../../../src/errors.js";
import { DEFAULT_MEMBER, restoreDataDir } from "../../../src/operations/history/data-dir.js";
import { newFolder } from "../../support/folders.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

const MEMBER = { ...DEFAULT_MEMBER, initialClusterToken: "never used" };

const { signal } = new AbortController();
let snapshot = "";

test.before(async () => {
  const etcd = await EtcdServer.start();
  try {
    await etcd.ctl("put", "a", "1");
    await etcd.ctl("put", "b", "2");
    await etcd.ctl("del", "a");
    snapshot = join(newFolder(), "snapshot.db");
    await etcd.ctl("snapshot", "save", snapshot);
  } finally {
    await etcd.stop();
  }
});

test("the data dir is one that etcd starts on, and nothing else is left", async (t) => {
  const folder = newFolder();
  const dir = join(folder, "member 1");
  t.regex(await restoreDataDir(snapshot, dir, MEMBER, { signal }), /^etcd(utl|ctl)$/);
  t.deepEqual(readdirSync(folder), ["member 1"]);
  const etcd = await EtcdServer.startOn(dir);
  t.teardown(() => etcd.stop());
  t.deepEqual(await etcd.pairs(), [[Buffer.from("b").toString("base64"), "Mg=="]]);
});

test("the member has the name, the peers and the cluster that were asked for", async (t) => {
  const dir = join(newFolder(), "m2");
  const urls = { m1: "http://127.0.0.1:1", m2: "http://127.0.0.1:2" };
  const member = {
    name: "m2",
    initialCluster: `m1=${urls.m1},m2=${urls.m2}`,
    initialClusterToken: "another",
    initialAdvertisePeerUrls: urls.m2,
  };
  await restoreDataDir(snapshot, dir, member, { signal });
  const wal = join(dir, "member", "wal");
  const log = Buffer.concat(readdirSync(wal).map((name) => readFileSync(join(wal, name))));
  for (const url of Object.values(urls)) t.true(log.includes(url));
});

test("an existing path is left as it is", async (t) => {
  const folder = newFolder();
  mkdirSync(join(folder, "full", "mine"), { recursive: true });
  writeFileSync(join(folder, "file"), "mine");
  symlinkSync("nowhere", join(folder, "link"));
  for (const name of ["full", "file", "link"]) {
    const path = join(folder, name);
    const error = await t.throwsAsync(
      restoreDataDir(snapshot, path, MEMBER, { signal }),
      { instanceOf: UsageError },
      name,
    );
    t.regex(error?.message ?? "", /exists already/);
  }
  t.deepEqual(readdirSync(folder).sort(), ["file", "full", "link"]);
  t.deepEqual(readdirSync(join(folder, "full")), ["mine"]);
});

test("an empty folder becomes the data dir and stays the same folder, as a disk that is mounted there", async (t) => {
  const dir = join(newFolder(), "default");
  mkdirSync(join(dir, "lost+found"), { recursive: true });
  const { ino } = statSync(dir);
  const bad = join(newFolder(), "damaged.db");
  writeFileSync(bad, readFileSync(snapshot).subarray(1));
  await t.throwsAsync(restoreDataDir(bad, dir, MEMBER, { signal }), { code: "ETCD_TOOL_FAILED" });
  t.deepEqual(readdirSync(dir), ["lost+found"]);
  // What a run that was killed has left.
  mkdirSync(join(dir, ".default.unfinished-00"));
  await restoreDataDir(snapshot, dir, MEMBER, { signal });
  t.is(statSync(dir).ino, ino);
  t.deepEqual(readdirSync(dir).sort(), [".default.unfinished-00", "lost+found", "member"]);
  const etcd = await EtcdServer.startOn(dir);
  t.teardown(() => etcd.stop());
  t.is((await etcd.pairs()).length, 1);
});

test("a damaged file is an error in the words of etcd's program, and leaves nothing", async (t) => {
  const folder = newFolder();
  const bytes = readFileSync(snapshot);
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  const bad = join(newFolder(), "damaged.db");
  writeFileSync(bad, bytes);
  const error = await t.throwsAsync(restoreDataDir(bad, join(folder, "dir"), MEMBER, { signal }), {
    instanceOf: BackupToolError,
    code: "ETCD_TOOL_FAILED",
  });
  t.regex(error?.message ?? "", /sha256/i);
  t.deepEqual(readdirSync(folder), []);
  const unchecked = { ...MEMBER, skipHashCheck: true };
  await restoreDataDir(bad, join(folder, "dir"), unchecked, { signal });
  t.deepEqual(readdirSync(folder), ["dir"]);
});

test("members that contradict each other are rejected by etcd's program", async (t) => {
  const folder = newFolder();
  const member = { ...MEMBER, initialCluster: "other=http://127.0.0.1:1" };
  const error = await t.throwsAsync(
    restoreDataDir(snapshot, join(folder, "dir"), member, { signal }),
    { code: "ETCD_TOOL_FAILED" },
  );
  t.regex(error?.message ?? "", /default/);
  t.deepEqual(readdirSync(folder), []);
});

test("an interrupted restore ends etcd's program and leaves nothing", async (t) => {
  const folder = newFolder();
  const bin = newFolder();
  // Says that it runs, and goes on until it is ended.
  const script = `#!/bin/sh\nmkdir -p "${bin}/started"\necho $$ > "${bin}/pid"\nexec sleep 600\n`;
  writeFileSync(join(bin, "etcdutl"), script);
  chmodSync(join(bin, "etcdutl"), 0o755);
  const abort = new AbortController();
  const timer = setInterval(() => {
    if (readdirSync(bin).includes("pid")) abort.abort();
  }, 50);
  t.teardown(() => clearInterval(timer));
  const env = { PATH: `${bin}:${process.env["PATH"]}` };
  await t.throwsAsync(
    restoreDataDir(snapshot, join(folder, "dir"), MEMBER, { signal: abort.signal, env }),
    { instanceOf: InterruptedError },
  );
  t.deepEqual(readdirSync(folder), []);
  const pid = Number(readFileSync(join(bin, "pid"), "utf8"));
  t.throws(() => process.kill(pid, 0), { code: "ESRCH" });
});

test("etcdutl is used where it is, without variables of etcdctl", async (t) => {
  const folder = newFolder();
  const bin = newFolder();
  const etcdctl = execFileSync("which", ["etcdctl"], { encoding: "utf8" }).trim();
  const script = `#!/bin/sh\nenv > "${bin}/env"\nexec "${etcdctl}" "$@"\n`;
  writeFileSync(join(bin, "etcdutl"), script);
  chmodSync(join(bin, "etcdutl"), 0o755);
  const env = {
    PATH: `${bin}:${process.env["PATH"]}`,
    ETCDCTL_NAME: "other",
    BACKUPTOOL_PASSPHRASE: "secret",
  };
  const used = await restoreDataDir(snapshot, join(folder, "dir"), MEMBER, { signal, env });
  t.is(used, "etcdutl");
  t.notRegex(readFileSync(join(bin, "env"), "utf8"), /other|secret/);
});

test("without etcd's programs the error says what to install", async (t) => {
  const folder = newFolder();
  const error = await t.throwsAsync(
    restoreDataDir(snapshot, join(folder, "dir"), MEMBER, {
      signal,
      env: { PATH: newFolder() },
    }),
    { instanceOf: BackupToolError, code: "ETCD_TOOL_MISSING" },
  );
  t.regex(error?.message ?? "", /neither etcdutl nor etcdctl/);
  t.deepEqual(readdirSync(folder), []);
});
