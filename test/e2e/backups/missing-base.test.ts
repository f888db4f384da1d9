import { join } from "node:path";
import test from "ava";
import { backuptool, cephFlags } from "../../support/program/backuptool.js";
import {
  dropPools,
  dumpPool,
  makePools,
  removeObjects,
  writeObjects,
} from "../../support/ceph/client.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";

let pools: string[] = [];
let etcd: EtcdServer;
let target: EtcdServer;
const folder = newFolder();
const full = join(folder, "full");
const over = join(folder, "over");
let baseId = "";

async function create(outputdir: string, ...more: string[]): Promise<void> {
  const { code, stderr } = await backuptool([
    "create",
    "--outputdir",
    outputdir,
    "--etcd",
    etcd.endpoint,
    ...cephFlags(),
    "--include-pool",
    pools[0] ?? "",
    ...more,
  ]);
  if (code !== 0) throw new Error(stderr);
}

async function restore(outputdir: string, ...more: string[]) {
  const [from = "", to = ""] = pools;
  const { code, stderr } = await backuptool([
    "restore",
    "--outputdir",
    outputdir,
    "--etcd",
    target.endpoint,
    ...cephFlags(),
    ...(more.includes("--skip-ceph") ? [] : ["--restore-pool", `${from}:${to}`]),
    ...more,
  ]);
  return {
    code,
    stderr,
    warned:
      /^warning: .* is an incremental over backup ([0-9a-f]+), which the target does not hold: (.*)/m.exec(
        stderr,
      ),
  };
}

async function emptyTarget(): Promise<void> {
  const flags = ["--etcd", target.endpoint, ...cephFlags(), "--include-pool", pools[1] ?? ""];
  await backuptool(["clear", ...flags, "--yes"]);
}

test.before(async () => {
  [pools, etcd, target] = await Promise.all([makePools(2), EtcdServer.start(), EtcdServer.start()]);
  const [from = ""] = pools;
  await writeObjects(
    from,
    [0, 1, 2].map((i) => ({ name: `base ${i}`, size: 1000 + i })),
  );
  await etcd.putMany([
    ["one", "value"],
    ["two", "value"],
  ]);
  await create(full);
  await writeObjects(from, [{ name: "new", data: "new" }]);
  await etcd.putMany([["new", "value"]]);
  await create(over, "--incremental-over", full);
  const { stdout } = await backuptool(["inspect", "--quick", "--outputdir", full]);
  baseId = /^backup: +([0-9a-f]{32})$/m.exec(stdout.toString())?.[1] ?? "none";
});

test.after.always(async () => {
  await Promise.all([etcd.stop(), target.stop()]);
  await dropPools(pools);
});

test.serial(
  "an incremental alone, into a target without its base, gives a warning and is incomplete",
  async (t) => {
    await emptyTarget();
    const both = await restore(over);
    t.is(both.code, 3, both.stderr);
    t.is(both.warned?.[1], baseId, both.stderr);
    t.regex(both.warned?.[2] ?? "", /3 of 3 objects of pool "[^"]+" and 2 of 2 keys of the base/);
    // What the incremental holds is there.
    t.is((await dumpPool(pools[1] ?? "")).length, 1);
    t.is(await target.ctl("get", "--prefix", "", "--keys-only"), "new\n\n");
    const quiet = await restore(over, "--quiet");
    t.truthy(quiet.warned);
    const etcdAlone = await restore(over, "--skip-ceph");
    // The target holds one key of three, which is none of the base's.
    t.regex(etcdAlone.warned?.[2] ?? "", /what was looked for, 2 of 2 keys of the base/);
  },
);

test.serial("an incremental over its base that was restored before is complete", async (t) => {
  await emptyTarget();
  t.is((await restore(full)).code, 0);
  const alone = await restore(over);
  t.is(alone.code, 0, alone.stderr);
  t.falsy(alone.warned);
  t.is((await dumpPool(pools[1] ?? "")).length, 4);
  await emptyTarget();
  const chain = await restore(over, "--with-base", full);
  t.is(chain.code, 0, chain.stderr);
  t.falsy(chain.warned);
});

test.serial(
  "an object of the base that is missing or differs in the target gives a warning",
  async (t) => {
    const [, to = ""] = pools;
    await emptyTarget();
    t.is((await restore(full)).code, 0);
    await removeObjects(to, [{ name: "base 0" }]);
    await writeObjects(to, [{ name: "base 1", size: 2000 }]);
    const alone = await restore(over);
    t.is(alone.code, 3, alone.stderr);
    t.regex(
      alone.warned?.[2] ?? "",
      /what was looked for, 2 of 3 objects of pool "[^"]+" of the base/,
    );
  },
);

test.serial("an incremental that leaves nothing to its base is complete alone", async (t) => {
  const [from = ""] = pools;
  await emptyTarget();
  const rest = join(folder, "rest");
  await writeObjects(
    from,
    ["base 0", "base 1", "base 2", "new"].map((name) => ({ name, data: `rewritten ${name}` })),
  );
  await create(rest, "--incremental-over", over, "--skip-etcd");
  const alone = await restore(rest, "--skip-etcd");
  t.is(alone.code, 0, alone.stderr);
  t.falsy(alone.warned);
  t.deepEqual(await dumpPool(pools[1] ?? ""), await dumpPool(from));
});
