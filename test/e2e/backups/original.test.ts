import { createHash } from "node:crypto";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { backuptool, cephFlags, lines } from "../../support/program/backuptool.js";
import { dropPools, dumpPool, makePools } from "../../support/ceph/client.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import {
  expectedState,
  type FixtureSet,
  originalFixture,
  poolState,
  trueState,
} from "../../support/original/fixtures.js";
import { framesOf, ORIGINAL_PASSPHRASE, writeOriginal } from "../../support/original/writer.js";
import { runProcess } from "../../support/program/processes.js";

/** Archives that the original tool wrote, on a real etcd and a real Ceph. */

const env = {
  BACKUPTOOL_PASSPHRASE: ORIGINAL_PASSPHRASE,
  BACKUPTOOL_NEW_PASSPHRASE: "a new passphrase",
};
const DOUBT = /warning: a pass says that the archive is as it was written, not that/;

/** The etcd records that a manifest names, in key order. */
function trueRecords(kind: "full" | "incremental"): [string, string][] {
  const records = Object.entries(trueState("intact", kind).etcd);
  return records
    .map(([key, { value_b64 }]): [string, string] => [key, value_b64])
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a, "base64"), Buffer.from(b, "base64")));
}

async function targets(t: import("ava").ExecutionContext) {
  const etcd = await EtcdServer.start();
  const pools = await makePools(2);
  t.teardown(async () => {
    await etcd.stop();
    await dropPools(pools);
  });
  const [hot = "", cold = ""] = pools;
  const into = [
    "--etcd",
    etcd.endpoint,
    ...cephFlags(),
    "--restore-pool",
    `btrdbhot:${hot}`,
    "--restore-pool",
    `btrdbcold:${cold}`,
  ];
  return { etcd, hot, cold, into };
}

test("a full archive and then an incremental are restored as in their manifests", async (t) => {
  const { etcd, hot, cold, into } = await targets(t);
  const full = await backuptool(
    ["restore", "--outputdir", originalFixture("intact", "full"), ...into],
    { env },
  );
  t.is(full.code, 0, full.stderr);
  t.deepEqual(lines(full.stdout).slice(-1), [
    "Restore complete: restored 11 ceph objects, skipped 0 ceph objects and restored  121 etcd records",
  ]);
  const then = trueState("intact", "full");
  t.deepEqual(await poolState(hot), expectedState(then.pools["btrdbhot"] ?? {}));
  t.deepEqual(await poolState(cold), expectedState(then.pools["btrdbcold"] ?? {}));
  t.deepEqual(await etcd.pairs(), trueRecords("full"));
  // Whole seconds: the original kept no more.
  for (const line of await dumpPool(hot)) t.true(JSON.parse(line).mtime > 1_700_000_000);

  const incremental = await backuptool(
    ["restore", "--outputdir", originalFixture("intact", "incremental"), ...into],
    { env },
  );
  t.is(incremental.code, 0, incremental.stderr);
  const now = trueState("intact", "incremental");
  t.deepEqual(await poolState(hot), expectedState(now.pools["btrdbhot"] ?? {}));
  // The original does not record deletions: what was deleted stays.
  const gone = Object.keys(then.pools["btrdbcold"] ?? {}).filter(
    (path) => !(path in (now.pools["btrdbcold"] ?? {})),
  );
  t.deepEqual(gone, ["/todelete"]);
  t.deepEqual(await poolState(cold), expectedState(then.pools["btrdbcold"] ?? {}));
});

test("a chain is restored in one run, with the last keys of etcd", async (t) => {
  const { etcd, hot, into } = await targets(t);
  const { code, stderr } = await backuptool(
    [
      "restore",
      "--outputdir",
      originalFixture("intact", "incremental"),
      "--with-base",
      originalFixture("intact", "full"),
      ...into,
    ],
    { env },
  );
  t.is(code, 0, stderr);
  const now = trueState("intact", "incremental");
  t.deepEqual(await poolState(hot), expectedState(now.pools["btrdbhot"] ?? {}));
  t.deepEqual(await etcd.pairs(), trueRecords("incremental"));
});

test("a converted chain is one of this format and is restored the same", async (t) => {
  const { etcd, hot, cold, into } = await targets(t);
  const folder = newFolder();
  const [full, incremental] = [join(folder, "full"), join(folder, "incremental")];
  const first = await backuptool(
    ["convert", "--outputdir", originalFixture("intact", "full"), "--to", full],
    { env },
  );
  t.is(first.code, 0, first.stderr);
  t.regex(first.stderr, DOUBT);
  t.deepEqual(lines(first.stdout).slice(-1), [
    "CONVERT DONE; included 11 ceph objects and 121 etcd records",
  ]);
  const second = await backuptool(
    [
      "convert",
      "--outputdir",
      originalFixture("intact", "incremental"),
      "--to",
      incremental,
      "--incremental-over",
      full,
    ],
    { env },
  );
  t.is(second.code, 0, second.stderr);
  const opened = { env: { BACKUPTOOL_PASSPHRASE: env.BACKUPTOOL_NEW_PASSPHRASE } };
  for (const outputdir of [full, incremental]) {
    const inspected = await backuptool(["inspect", "--outputdir", outputdir], opened);
    t.is(inspected.code, 0, inspected.stderr);
  }
  const { code, stderr } = await backuptool(
    ["restore", "--outputdir", incremental, "--with-base", full, ...into],
    opened,
  );
  t.is(code, 0, stderr);
  const now = trueState("intact", "incremental");
  t.deepEqual(await poolState(hot), expectedState(now.pools["btrdbhot"] ?? {}));
  const then = trueState("intact", "full");
  t.deepEqual(await poolState(cold), expectedState(then.pools["btrdbcold"] ?? {}));
  t.deepEqual(await etcd.pairs(), trueRecords("incremental"));

  // A new incremental over it includes every object again: the original may have written it wrong.
  const fresh = await backuptool(
    [
      "create",
      "--outputdir",
      join(folder, "fresh"),
      "--incremental-over",
      incremental,
      "--etcd",
      etcd.endpoint,
      ...cephFlags(),
      "--include-pool",
      hot,
    ],
    opened,
  );
  t.is(fresh.code, 0, fresh.stderr);
  t.regex(fresh.stdout.toString(), /skipped 0 unchanged/);
});

test("inspect prints the lines of the original, warns, and names suspects", async (t) => {
  const run = (set: FixtureSet, kind: "full" | "incremental") =>
    backuptool(["inspect", "--outputdir", originalFixture(set, kind)], { env });
  const intact = await run("intact", "full");
  t.is(intact.code, 0, intact.stderr);
  t.deepEqual(lines(intact.stdout).slice(2, 6), [
    "archive contains 11 ceph objects and 121 etcd records",
    "the following 2 pools are referenced:",
    " - btrdbhot",
    " - btrdbcold",
  ]);
  t.regex(intact.stderr, DOUBT);
  t.notRegex(intact.stderr, /suspect/);
  const damaged = await run("damaged", "full");
  t.is(damaged.code, 0, damaged.stderr);
  t.regex(damaged.stderr, DOUBT);
  for (const name of ["rand64k", "xattrs", "zeros64k", "binary", "cold1"]) {
    t.regex(damaged.stderr, new RegExp(`suspect: .*"${name}"`));
  }
});

test("cat writes a tar that GNU tar lists", async (t) => {
  const { stdout, code, stderr } = await backuptool(
    ["cat", "--outputdir", originalFixture("intact", "full")],
    { env },
  );
  t.is(code, 0, stderr);
  const tar = await runProcess("tar", ["-t"], { input: stdout });
  t.is(tar.stderr, "");
  const listed = lines(tar.stdout).filter((path) => path.startsWith("ceph/"));
  const pools = Object.entries(trueState("intact", "full").pools);
  t.deepEqual(
    listed.sort(),
    pools
      .flatMap(([pool, objects]) =>
        Object.keys(objects).map((path) => `ceph/${pool}/${path.replace(/^\//, "-/")}`),
      )
      .sort(),
  );
});

test("convert and restore too report objects that a repeated frame replaces", async (t) => {
  const { hot, into } = await targets(t);
  const folder = newFolder();
  const old = join(folder, "old");
  const objects = ["one", "two", "three"].map((name) => ({
    pool: "btrdbhot",
    name,
    content: Buffer.from(`the content of ${name}`),
  }));
  const cold = { ...objects[0], pool: "btrdbcold", name: "cold", content: Buffer.from("cold") };
  await writeOriginal(old, [{ objects: [...objects, cold] }]);
  const path = join(old, "ARCHIVE00000.bin");
  const [one, , three, last] = framesOf(path) as [Buffer, Buffer, Buffer, Buffer];
  writeFileSync(path, Buffer.concat([one, one, three, last]));
  const missing = /^missing: ceph object .*two.*METADATA\.bin of .* names it$/m;

  const to = join(folder, "new");
  const converted = await backuptool(["convert", "--outputdir", old, "--to", to], { env });
  t.is(converted.code, 3, converted.stderr);
  t.regex(converted.stderr, missing);
  const inspected = await backuptool(["inspect", "--outputdir", to], {
    env: { BACKUPTOOL_PASSPHRASE: env.BACKUPTOOL_NEW_PASSPHRASE },
  });
  t.is(inspected.code, 0, inspected.stderr);

  const restored = await backuptool(["restore", "--outputdir", old, ...into], { env });
  t.is(restored.code, 3, restored.stderr);
  t.regex(restored.stderr, missing);
  t.is((await dumpPool(hot)).length, 2);
  const cat = await backuptool(["cat", "--outputdir", old], { env });
  t.is(cat.code, 3, cat.stderr);
  t.regex(cat.stderr, missing);
});

test("an archive with neither METADATA.bin nor pools.txt is converted and restored by its frames", async (t) => {
  const { hot, cold, etcd, into } = await targets(t);
  const folder = newFolder();
  const [old, to] = [join(folder, "old"), join(folder, "new")];
  cpSync(originalFixture("intact", "full"), old, { recursive: true });
  for (const name of ["METADATA.bin", "pools.txt"]) rmSync(join(old, name));
  const run = (command: string) => backuptool([command, "--outputdir", old], { env });
  const listed = await run("inspect");
  t.is(listed.code, 3, listed.stderr);
  t.deepEqual(lines(listed.stdout).slice(4, 6).sort(), [" - btrdbcold", " - btrdbhot"]);
  const converted = await backuptool(["convert", "--outputdir", old, "--to", to], { env });
  t.is(converted.code, 3, converted.stderr);

  const opened = { env: { BACKUPTOOL_PASSPHRASE: env.BACKUPTOOL_NEW_PASSPHRASE } };
  const inspected = await backuptool(["inspect", "--outputdir", to], opened);
  t.is(inspected.code, 0, inspected.stderr);
  const then = trueState("intact", "full");
  const check = async () => {
    t.deepEqual(await poolState(hot), expectedState(then.pools["btrdbhot"] ?? {}));
    t.deepEqual(await poolState(cold), expectedState(then.pools["btrdbcold"] ?? {}));
    t.deepEqual(await etcd.pairs(), trueRecords("full"));
  };
  const fromNew = await backuptool(["restore", "--outputdir", to, ...into], opened);
  t.is(fromNew.code, 0, fromNew.stderr);
  await check();
  const fromOld = await backuptool(["restore", "--outputdir", old, ...into], { env });
  t.is(fromOld.code, 3, fromOld.stderr);
  await check();
});

test("the first of a repeated object counts everywhere, and other contents are reported", async (t) => {
  const { hot, into } = await targets(t);
  const folder = newFolder();
  const named = (name: string, content: string, pool = "btrdbhot") => ({
    pool,
    name,
    content: Buffer.from(content),
  });
  const first = [named("one", "first"), named("two", "same"), named("cold", "", "btrdbcold")];
  const opened = { env: { BACKUPTOOL_PASSPHRASE: env.BACKUPTOOL_NEW_PASSPHRASE } };
  const told = /^warning: .*holds the ceph object "btrdbhot"\/"one" again with other contents/m;
  for (const [kind, again, code] of [
    ["other", [named("one", "other"), named("two", "same")], 3],
    ["same", [named("one", "first"), named("two", "same")], 0],
  ] as const) {
    const [old, to] = [join(folder, `old-${kind}`), join(folder, `new-${kind}`)];
    await writeOriginal(old, [{ objects: [...first, ...again] }]);
    const inspected = await backuptool(["inspect", "--outputdir", old], { env });
    const converted = await backuptool(["convert", "--outputdir", old, "--to", to], { env });
    const restored = await backuptool(["restore", "--outputdir", old, ...into], { env });
    for (const run of [inspected, converted, restored]) {
      t.is(run.code, code, run.stderr);
      t.is(told.test(run.stderr), kind === "other", run.stderr);
      t.regex(run.stderr, /holds objects more than once: 2 frames/);
    }
    const content = async () => (await poolState(hot)) as { path: string; sha256: string }[];
    const digest = createHash("sha256").update("first").digest("hex");
    const fromOld = await content();
    t.deepEqual(
      fromOld.map(({ path }) => path),
      ["/one", "/two"],
    );
    t.is(fromOld[0]?.sha256, digest);
    const fromNew = await backuptool(["restore", "--outputdir", to, ...into], opened);
    t.is(fromNew.code, 0, fromNew.stderr);
    t.deepEqual(await content(), fromOld);
    const cat = await backuptool(["cat", "--outputdir", old], { env });
    const listed = await runProcess("tar", ["-t"], { input: cat.stdout });
    t.is(lines(listed.stdout).filter((path) => path.endsWith("/one")).length, 1);
  }
});

test("a hundred records and pairs of an omap of 1 MiB each are converted", async (t) => {
  const folder = newFolder();
  const [old, to] = [join(folder, "old"), join(folder, "new")];
  const pairs = Array.from({ length: 100 }, (_, i): [string, Uint8Array] => [
    `key${String(i).padStart(3, "0")}`,
    Buffer.alloc(1 << 20, i),
  ]);
  const object = { pool: "pool", name: "large", content: Buffer.from("content"), omap: pairs };
  await writeOriginal(old, [{ objects: [object], records: pairs }]);
  const converted = await backuptool(["convert", "--outputdir", old, "--to", to], { env });
  t.is(converted.code, 0, converted.stderr);
  const inspected = await backuptool(["inspect", "--outputdir", to], {
    env: { BACKUPTOOL_PASSPHRASE: env.BACKUPTOOL_NEW_PASSPHRASE },
  });
  t.is(inspected.code, 0, inspected.stderr);
  t.regex(inspected.stdout.toString(), /archive contains 1 ceph objects and 100 etcd records/);
});

test("commands that cannot work on such an archive fail at once", async (t) => {
  const outputdir = originalFixture("intact", "full");
  const wrong = await backuptool(["inspect", "--outputdir", outputdir], {
    env: { BACKUPTOOL_PASSPHRASE: "something else" },
  });
  t.is(wrong.code, 10, wrong.stderr);
  const quick = await backuptool(["inspect", "--outputdir", outputdir, "--quick"], { env });
  t.is(quick.code, 2, quick.stderr);
  t.regex(quick.stderr, /no index/);
  const created = await backuptool(
    [
      "create",
      "--outputdir",
      join(newFolder(), "new"),
      "--incremental-over",
      outputdir,
      "--skip-etcd",
      ...cephFlags(),
    ],
    { env },
  );
  t.is(created.code, 2, created.stderr);
  t.regex(created.stderr, /make a full backup/);
  const nothing = await backuptool(
    ["convert", "--outputdir", newFolder(), "--to", join(newFolder(), "new")],
    { env },
  );
  t.is(nothing.code, 2, nothing.stderr);
  t.regex(nothing.stderr, /not an archive of the original tool/);
});
