import { randomUUID } from "node:crypto";
import { join } from "node:path";
import test from "ava";
import { backuptool } from "../../support/program/backuptool.js";
import { dumpPool, writeObjects } from "../../support/ceph/client.js";
import { DevCluster } from "../../support/servers/dev-cluster.js";
import { newFolder } from "../../support/folders.js";

test("an incremental of a cluster that was created again with the same fsid includes all objects", async (t) => {
  const fsid = randomUUID();
  const made = async (data: string): Promise<DevCluster> => {
    const cluster = await DevCluster.start(["pool", "target"], fsid);
    t.teardown(() => cluster.down());
    // A client that sets the mtime of its objects, as copy tools do.
    await writeObjects("pool", [{ name: "object", data, mtime: 1_700_000_000 }], cluster.env);
    return cluster;
  };
  const source = ["--include-pool", "pool", "--skip-etcd"];
  const [full, incremental] = [join(newFolder(), "full"), join(newFolder(), "incremental")];
  const before = await made("before");
  const first = await backuptool(["create", "--outputdir", full, ...source, ...before.cephFlags]);
  t.is(first.code, 0, first.stderr);
  await before.down();

  // Pool ids, size, time and version of the object are those of before.
  const cluster = await made("after!");
  const run = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await backuptool([...args, ...cluster.cephFlags]);
    t.is(code, 0, stderr);
  };
  await run("create", "--outputdir", incremental, "--incremental-over", full, ...source);
  const chain = ["--outputdir", incremental, "--with-base", full, "--skip-etcd"];
  await run("restore", ...chain, "--restore-pool", "pool:target");
  t.deepEqual(await dumpPool("target", cluster.env), await dumpPool("pool", cluster.env));
});
