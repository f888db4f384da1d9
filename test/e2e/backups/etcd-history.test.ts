import { join } from "node:path";
import test from "ava";
import { backuptool } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";

test("after etcd was restored from a snapshot, an incremental includes keys with the same revisions", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await backuptool([
      ...args,
      "--skip-ceph",
      "--etcd",
      etcd.endpoint,
    ]);
    t.is(code, 0, stderr);
    return { said: stdout.toString(), warned: stderr };
  };
  const putAll = async (value: string) => {
    for (let i = 0; i < 5; i++) await etcd.ctl("put", `key ${i}`, `${value} ${i}`);
    // Only the lease of this one differs.
    const lease = await etcd.grant(3600);
    await etcd.ctl("put", "leased", "the same", `--lease=${lease}`);
  };
  for (let i = 0; i < 20; i++) await etcd.ctl("put", `before ${i}`, "as it is");
  const folder = newFolder();
  const snapshot = join(folder, "snapshot.db");
  await etcd.ctl("snapshot", "save", snapshot);
  await putAll("lost");
  const [full, same, incremental] = ["full", "same", "incremental"].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  await run("create", "--outputdir", full);
  const nothing = await run("create", "--outputdir", same, "--incremental-over", full);
  t.regex(nothing.said, /included 0 etcd records/);

  await etcd.restoreFrom(snapshot);
  // The same keys at the same revisions, in a cluster of the same id, and with a raft log that is longer than it was.
  for (let i = 0; i < 21; i++) await etcd.grant(3600);
  await putAll("new");
  const pairs = await etcd.pairs();
  const made = await run("create", "--outputdir", incremental, "--incremental-over", full);
  t.regex(made.said, /included 6 etcd records/);
  await etcd.ctl("del", "", "--prefix");
  await run("restore", "--outputdir", incremental, "--with-base", full);
  t.deepEqual(await etcd.pairs(), pairs);
});
