import { setMaxListeners } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { adviceOf } from "../../../src/cli/output/failure.js";
import { UsageError } from "../../../src/errors.js";
import { EtcdCluster, type EtcdOptions } from "../../../src/sources/etcd/cluster.js";
import { EtcdError } from "../../../src/sources/etcd/errors.js";
import { backuptool } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";

let etcd: EtcdServer;
const { signal } = new AbortController();
setMaxListeners(0, signal);

test.before(async () => {
  const flags = ["--bcrypt-cost", "4", "--auth-token-ttl", "5"];
  etcd = await EtcdServer.start(flags, ["--user=root:secret:with:colons"]);
  await etcd.ctl("put", "app/key", "value");
  await etcd.ctl("user", "add", "root:secret:with:colons");
  await etcd.ctl("user", "grant-role", "root", "root");
  for (const [user, ...permission] of [
    ["reader", "read", "", "--prefix"],
    ["part", "readwrite", "app/", "--prefix"],
  ] as const) {
    await etcd.ctl("user", "add", `${user}:pw`);
    await etcd.ctl("role", "add", user);
    await etcd.ctl("role", "grant-permission", user, ...permission);
    await etcd.ctl("user", "grant-role", user, user);
  }
  await etcd.ctl("auth", "enable");
});
test.after.always(() => etcd?.stop());

async function connect(t: ExecutionContext, login: Partial<EtcdOptions>): Promise<EtcdCluster> {
  const cluster = await EtcdCluster.connect({ endpoints: [etcd.endpoint], ...login });
  t.teardown(() => cluster.close());
  return cluster;
}

async function count(cluster: EtcdCluster): Promise<number> {
  return cluster.countKeys(await cluster.currentRevision(), signal);
}

test("user and password work in two settings or in one", async (t) => {
  for (const login of [
    { user: "root", password: "secret:with:colons" },
    { user: "root:secret:with:colons" },
  ]) {
    t.is(await count(await connect(t, login)), 1);
  }
});

test("the error of a rejected login names the settings to check", async (t) => {
  for (const [login, hint] of [
    [{ user: "root", password: "wrong" }, /--user, --password/],
    [{ user: "nobody", password: "wrong" }, /--user, --password/],
    [{}, /--user, --password/],
    [{ user: "part", password: "pw" }, /role/],
  ] as const) {
    const error = await t.throwsAsync(
      connect(t, login).then((cluster) => count(cluster)),
      { instanceOf: EtcdError },
    );
    t.is(error.code, "ETCD_AUTH", error.message);
    t.true(error.message.includes(etcd.endpoint));
    t.regex(adviceOf(error).join("; "), hint);
  }
});

test("a user who may only read can be backed up, but not restored or cleared", async (t) => {
  const cluster = await connect(t, { user: "reader:pw" });
  t.is(await count(cluster), 1);
  const error = await t.throwsAsync(cluster.deleteAll(signal), { instanceOf: EtcdError });
  t.is(error.code, "ETCD_AUTH");
  t.regex(error.hint ?? "", /to restore or to clear, one that also writes/);
  t.is(await count(cluster), 1);
});

test("a backup needs a role that reads only; a restore and clear one that writes", async (t) => {
  const outputdir = join(newFolder(), "backup");
  const flags = ["--skip-ceph", "--etcd", etcd.endpoint];
  const create = (user: string, folder: string) =>
    backuptool(["create", ...flags, "--user", user, "--outputdir", folder]);
  const partly = await create("part:pw", join(newFolder(), "partly"));
  t.is(partly.code, 1, partly.stderr);
  t.regex(partly.stderr, /needs a role that reads all keys; to restore or to clear, one that also/);
  const whole = await create("reader:pw", outputdir);
  t.is(whole.code, 0, whole.stderr);
  const restore = ["restore", ...flags, "--outputdir", outputdir, "--user"];
  for (const args of [["clear", ...flags, "--yes", "--user"], restore]) {
    const denied = await backuptool([...args, "reader:pw"]);
    t.is(denied.code, 1, denied.stderr);
    t.regex(denied.stderr, /to restore or to clear, one that also writes them/);
  }
  const written = await backuptool([...restore, "root:secret:with:colons"]);
  t.is(written.code, 0, written.stderr);
});

test("an expired token, or one that etcd lost, is replaced", async (t) => {
  const cluster = await connect(t, { user: "root:secret:with:colons" });
  await sleep(9_000);
  const revision = await cluster.currentRevision();
  const counts = Array.from({ length: 20 }, () => cluster.countKeys(revision, signal));
  t.deepEqual(new Set(await Promise.all(counts)), new Set([1]));
});

test("a user without a password, and a password without a user, are wrong usage", async (t) => {
  await t.throwsAsync(connect(t, { user: "root" }), { instanceOf: UsageError });
  await t.throwsAsync(connect(t, { password: "pw" }), { instanceOf: UsageError });
});

test("a login works where etcd needs none", async (t) => {
  const open = await EtcdServer.start();
  t.teardown(() => open.stop());
  const cluster = await connect(t, { endpoints: [open.endpoint], user: "root:any" });
  t.is(await count(cluster), 0);
});
