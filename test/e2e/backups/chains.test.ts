import { join } from "node:path";
import test from "ava";
import { PassphraseKeys } from "../../../src/archive/crypto/backup-keys.js";
import { object, writeSample } from "../../support/archive/sample.js";
import { backuptool, cephFlags, PASSPHRASE } from "../../support/program/backuptool.js";
import {
  dropPools,
  dumpPool,
  makePools,
  remakePoolNow,
  removeObjects,
  writeObjects,
} from "../../support/ceph/client.js";
import { DevCluster } from "../../support/servers/dev-cluster.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";

let pools: string[] = [];
let etcd: EtcdServer;
let target: string[] = [];

test.before(async () => {
  pools = await makePools(4);
  etcd = await EtcdServer.start();
  target = ["--etcd", etcd.endpoint, ...cephFlags()];
});

test.after.always(async () => {
  await etcd.stop();
  await dropPools(pools);
});

async function create(name: string, folder: string, ...args: string[]): Promise<string> {
  const outputdir = join(folder, name);
  const { code, stderr } = await backuptool([
    "create",
    "--outputdir",
    outputdir,
    ...target,
    ...args,
  ]);
  if (code !== 0) throw new Error(stderr);
  return outputdir;
}

test.serial(
  "a chain whose backups cover different things restores the last state of each",
  async (t) => {
    const [hot = "", cold = "", hotAgain = "", coldAgain = ""] = pools;
    const folder = newFolder();
    await writeObjects(hot, [
      { name: "stays", data: "as it was" },
      { name: "changes", data: "first" },
      { name: "goes", data: "away" },
    ]);
    await writeObjects(cold, [{ name: "in cold", size: 1000 }]);
    await etcd.ctl("put", "stays", "1");
    await etcd.ctl("put", "goes", "1");
    const both = ["--include-pool", hot, "--include-pool", cold];
    const full = await create("full", folder, ...both);

    // Of hot alone, without etcd.
    await removeObjects(hot, [{ name: "goes" }]);
    await writeObjects(hot, [{ name: "changes", data: "second" }]);
    const over = ["--incremental-over", full];
    const partial = await create("partial", folder, ...over, "--include-pool", hot, "--skip-etcd");

    // Of etcd alone: its base holds no etcd, so it holds all of it.
    await etcd.ctl("del", "goes");
    await etcd.ctl("put", "new", "1");
    const etcdOnly = await create("etcd", folder, "--incremental-over", partial, "--skip-ceph");
    const pairs = await etcd.pairs();

    await etcd.ctl("del", "", "--prefix");
    const chain = ["--with-base", partial, "--with-base", full];
    const mapping = [
      "--restore-pool",
      `${hot}:${hotAgain}`,
      "--restore-pool",
      `${cold}:${coldAgain}`,
    ];
    const restored = await backuptool([
      "restore",
      "--outputdir",
      etcdOnly,
      ...chain,
      ...target,
      ...mapping,
    ]);
    t.is(restored.code, 0, restored.stderr);
    t.regex(restored.stdout.toString(), /restored 3 ceph objects/);
    t.deepEqual(await dumpPool(hotAgain), await dumpPool(hot));
    t.deepEqual(await dumpPool(coldAgain), await dumpPool(cold));
    t.deepEqual(await etcd.pairs(), pairs);
  },
);

test.serial(
  "a chain with a missing backup, or one of another chain, changes nothing",
  async (t) => {
    const [hot = "", , hotAgain = ""] = pools;
    const folder = newFolder();
    const full = await create("full", folder, "--include-pool", hot, "--skip-etcd");
    const over = (base: string) => [
      "--incremental-over",
      base,
      "--include-pool",
      hot,
      "--skip-etcd",
    ];
    const first = await create("first", folder, ...over(full));
    const second = await create("second", folder, ...over(first));
    const before = await dumpPool(hotAgain);
    const restore = ["restore", "--outputdir", second, ...target, "--skip-etcd"];
    const mapping = ["--restore-pool", `${hot}:${hotAgain}`];
    const gap = await backuptool([...restore, ...mapping, "--with-base", full]);
    t.is(gap.code, 2, gap.stderr);
    t.regex(gap.stderr, /which is not named.*--with-base/);
    const other = await create("other", folder, "--include-pool", hot, "--skip-etcd");
    const chain = ["--with-base", full, "--with-base", first, "--with-base", other];
    const stranger = await backuptool([...restore, ...mapping, ...chain]);
    t.is(stranger.code, 11, stranger.stderr);
    t.regex(stranger.stderr, /is not a base of/);
    const unknown = await backuptool([...restore, "--restore-pool", `typo:${hotAgain}`]);
    t.is(unknown.code, 2, unknown.stderr);
    t.regex(unknown.stderr, /the backup has no pool "typo"/);
    t.deepEqual(await dumpPool(hotAgain), before);
  },
);

test.serial("an incremental reads all of a pool that was created again", async (t) => {
  const [pool = "", again = ""] = await makePools(2);
  t.teardown(() => dropPools([pool, again]));
  const folder = newFolder();
  // What another restore brings back with the same names, sizes and times, and in an empty pool with the same versions.
  for (const [archive, data] of [
    ["before", "first"],
    ["after", "other"],
  ] as const) {
    const objects = ["one", "two", "three"].map((name) => object(name, data));
    const passphrase = new PassphraseKeys(Buffer.from(PASSPHRASE));
    await writeSample(join(folder, archive), { objects, etcd: false }, { passphrase });
  }
  const run = async (command: string, name: string, ...args: string[]) => {
    const of = ["--outputdir", join(folder, name), "--skip-etcd", ...cephFlags(), ...args];
    const { code, stdout, stderr } = await backuptool([command, ...of]);
    t.is(code, 0, stderr);
    return stdout.toString();
  };
  const create = (name: string, ...over: string[]) =>
    run("create", name, "--include-pool", pool, ...over);
  await run("restore", "before", "--restore-pool", `pool:${pool}`);
  await create("full");
  remakePoolNow(pool);
  await run("restore", "after", "--restore-pool", `pool:${pool}`);
  const over = ["--incremental-over", join(folder, "full")];
  t.regex(await create("incremental", ...over), /included 3 ceph objects \(skipped 0 unchanged\)/);
  const overThat = ["--incremental-over", join(folder, "incremental")];
  t.regex(await create("next", ...overThat), /included 0 ceph objects \(skipped 3 unchanged\)/);
  const chain = ["full", "incremental"].flatMap((name) => ["--with-base", join(folder, name)]);
  await run("restore", "next", ...chain, "--restore-pool", `${pool}:${again}`);
  t.deepEqual(await dumpPool(again), await dumpPool(pool));
});

test.serial("parts that an incremental skips stay as in its base", async (t) => {
  const cluster = await DevCluster.start(["hot", "cold", "target"]);
  t.teardown(() => cluster.down());
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await backuptool(args);
    t.is(code, 0, stderr);
    return stdout.toString();
  };
  const target = [...cluster.flags, "--skip-etcd"];
  const write = (pool: string, name: string) =>
    writeObjects(pool, [{ name, data: `of ${pool}` }], cluster.env);
  await write("hot", "one");
  await write("cold", "two");
  const folder = newFolder();
  const full = join(folder, "full");
  const incremental = join(folder, "incremental");
  await run("create", "--outputdir", full, "--skip-pool", "target", ...target);
  await write("hot", "three");
  const over = ["--incremental-over", full, "--skip-pool", "cold", "--skip-pool", "target"];
  await run("create", "--outputdir", incremental, ...over, ...target);
  t.regex(await run("inspect", "--outputdir", incremental), /0 objects, 0 keys/);
  const restore = ["restore", "--outputdir", incremental, "--with-base", full];
  t.regex(
    await run(...restore, "--restore-pool", "cold:target", ...target),
    /restored 1 ceph objects/,
  );
  const names = (await dumpPool("target", cluster.env)).map((line) => JSON.parse(line).name);
  t.deepEqual(names, [Buffer.from("two").toString("hex")]);
});

test.serial("a key that got a lease in an incremental is not restored as before", async (t) => {
  const folder = newFolder();
  const of = ["--skip-ceph", "--etcd", etcd.endpoint];
  const run = async (...args: string[]) => {
    const { code, stderr } = await backuptool([...args, ...of]);
    t.is(code, 0, stderr);
  };
  await etcd.ctl("put", "leased later", "before");
  await etcd.ctl("put", "stays", "as it is");
  const full = join(folder, "leases-full");
  await run("create", "--outputdir", full);
  const lease = await etcd.grant(3600);
  await etcd.ctl("put", "leased later", "after", `--lease=${lease}`);
  const incremental = join(folder, "leases-incremental");
  await run("create", "--outputdir", incremental, "--incremental-over", full);
  await etcd.ctl("del", "", "--prefix");
  const restore = ["restore", "--outputdir", incremental, "--with-base", full];
  await run(...restore, "--leases", "drop");
  const keys = async () =>
    (await etcd.pairs()).map(([key]) => Buffer.from(key, "base64").toString());
  t.false((await keys()).includes("leased later"));
  t.true((await keys()).includes("stays"));
  await run(...restore);
  t.true((await keys()).includes("leased later"));
});
