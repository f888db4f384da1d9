import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { newFolder } from "../../support/folders.js";
import { backuptool, createOfEtcd } from "../../support/program/backuptool.js";
import { runProcess } from "../../support/program/processes.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

test("etcdctl restores what cat writes of a raw snapshot of several pieces", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const value = Buffer.alloc(1 << 20, "value");
  for (let i = 0; i < 20; i++) await etcd.put(Buffer.from(`key ${i}`), value);
  const lease = await etcd.grant(4000);
  await etcd.ctl("put", "leased", "value", `--lease=${lease}`);
  await etcd.ctl("del", "key 0");
  const revision = await etcd.revision();
  const store = ["--store", `file://${newFolder()}`];
  const spoolDir = newFolder();
  const created = await backuptool([
    ...createOfEtcd(etcd, ...store),
    ...["--etcd-mode", "both", "--spool-dir", spoolDir],
  ]);
  t.is(created.code, 0, created.stderr);
  t.regex(created.stdout.toString(), /ETCD DONE; included 20 etcd records/);
  const said = new RegExp(
    `raw snapshot of etcd: revision ${revision}, \\d\\d\\.\\d MiB \\(\\d+ bytes\\)`,
  );
  t.regex(created.stderr, said);
  t.deepEqual(readdirSync(spoolDir), []);
  const listed = await backuptool(["snapshot", "list", ...store]);
  t.regex(listed.stdout.toString(), new RegExp(`Full-00000000-0*${revision}-`));

  const inspected = await backuptool(["inspect", ...store, "--snapshot", "latest"]);
  t.is(inspected.code, 0, inspected.stderr);
  const shown = new RegExp(`^ *etcd database: *revision ${revision}, \\d\\d\\.\\d MiB`, "m");
  t.regex(inspected.stdout.toString(), shown);

  const { code, stdout, stderr } = await backuptool(["cat", ...store, "--snapshot", "latest"]);
  t.is(code, 0, stderr);
  const unpacked = join(newFolder(), "unpacked");
  mkdirSync(unpacked);
  const tar = await runProcess("tar", ["-x", "-C", unpacked], { input: stdout });
  t.is(tar.code, 0, tar.stderr);
  const folder = join(unpacked, "etcd", "snapshot");
  const pieces = readdirSync(folder).sort();
  t.deepEqual(pieces, ["00000000.db", "00000001.db"]);
  const file = join(newFolder(), "snapshot.db");
  writeFileSync(file, Buffer.concat(pieces.map((name) => readFileSync(join(folder, name)))));
  const [pairs, leases] = [await etcd.pairs(), await etcd.leases()];
  await etcd.restoreFrom(file);
  t.deepEqual(await etcd.pairs(), pairs);
  t.deepEqual(await etcd.leases(), leases);
});

test("a raw snapshot alone is restored into an etcd that runs, as records", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const lease = await etcd.grant(4000);
  await etcd.ctl("put", "leased", "value", `--lease=${lease}`);
  await etcd.ctl("put", "key", "value");
  await etcd.ctl("put", "gone", "value");
  await etcd.ctl("del", "gone");
  const pairs = await etcd.pairs();
  const outputdir = join(newFolder(), "backup");
  const where = ["--outputdir", outputdir];
  const created = await backuptool(createOfEtcd(etcd, ...where, "--etcd-mode", "raw"));
  t.is(created.code, 0, created.stderr);
  t.regex(created.stdout.toString(), /ETCD DONE; included 0 etcd records/);
  await etcd.ctl("put", "key", "later");
  await etcd.ctl("del", "leased");
  const restored = await backuptool(["restore", ...where, "--skip-ceph", "--etcd", etcd.endpoint]);
  t.is(restored.code, 0, restored.stderr);
  t.regex(restored.stdout.toString(), /restored {2}2 etcd records/);
  t.deepEqual(await etcd.pairs(), pairs);
  t.true((await etcd.leases()).some(({ ttl, keys }) => ttl === 4000 && keys.includes("leased")));
});

test("records beside raw snapshots are restored as those of other backups, also over a raw snapshot alone", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const store = ["--store", `file://${newFolder()}`];
  const over = ["--incremental-over", "latest"];
  const run = async (...args: string[]) => {
    const { code, stderr } = await backuptool([...args, "--skip-ceph", "--etcd", etcd.endpoint]);
    t.is(code, 0, stderr);
  };
  const restored = async () => {
    const pairs = await etcd.pairs();
    await etcd.ctl("del", "", "--prefix");
    await run("restore", ...store, "--snapshot", "latest");
    t.deepEqual(await etcd.pairs(), pairs);
  };
  await etcd.putMany(Array.from({ length: 20 }, (_, i) => [`key ${i}`, "old"] as const));
  await run("create", ...store, "--etcd-mode", "both");
  await restored();
  await etcd.ctl("put", "key 1", "new");
  await etcd.ctl("del", "key 2");
  await run("create", ...store, ...over, "--etcd-mode", "both");
  await restored();
  await run("create", ...store, ...over, "--etcd-mode", "raw");
  // Nothing but the raw snapshot says that it is gone.
  await etcd.ctl("del", "key 3");
  await etcd.ctl("put", "key 4", "new");
  await run("create", ...store, ...over);
  await restored();
});
