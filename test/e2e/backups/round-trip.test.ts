import { randomBytes } from "node:crypto";
import { join } from "node:path";
import test from "ava";
import { backuptool, cephFlags, lines } from "../../support/program/backuptool.js";
import {
  dropPools,
  dumpPool,
  makePools,
  type ObjectToWrite,
  removeObjects,
  writeObjects,
} from "../../support/ceph/client.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";

const LONG_NAME = "n".repeat(900);

const OBJECTS: readonly ObjectToWrite[] = [
  ...[0, 1, 511, 512, 513, 4095, 65_536, 65_537, 4 << 20, (4 << 20) + 1].map((size) => ({
    name: `size-${size}`,
    size,
  })),
  { name: "100 MiB", size: 100 << 20 },
  { name: "hole", offset: 3 << 20, data: "after a hole" },
  { name: "a/b/../../etc/passwd", data: "slashes" },
  { name: "..", data: "dots" },
  { name: "-", data: "a dash" },
  { name: "line\nfeed", data: "newline" },
  { name: "\x1b[31mred\x1b[0m", data: "escape codes" },
  { name: Buffer.from([0xff, 0xfe, 0x80, 0x01]), data: "no UTF-8" },
  { name: "日本語", data: "UTF-8" },
  { name: LONG_NAME, data: "900 bytes" },
  { name: "same", data: "in the default namespace" },
  { name: "same", namespace: "one", data: "in one" },
  { name: "same", namespace: "two\n", data: "in two" },
  { name: "same", locator: "left", data: "under left" },
  { name: "same", locator: "right", data: "under right" },
  { name: "same", namespace: "one", locator: "left", data: "both" },
  { name: "large-xattr", size: 10, xattrs: [["user.large", randomBytes(60_000)]] },
  {
    name: "xattrs",
    size: 0,
    xattrs: [
      ["a", "1"],
      ["empty", ""],
      [Buffer.from([0xc3, 0x28]), randomBytes(10)],
    ],
  },
  {
    name: "omap",
    size: 0,
    omap: [
      ["k", ""],
      ["", "an empty key"],
      ["key\nline", randomBytes(3000)],
    ],
  },
  { name: "omap 1024", size: 1, omapEntries: 1024 },
  { name: "omap 1025", size: 1, omapEntries: 1025 },
  { name: "omap 25000", size: 5 << 20, omapEntries: 25_000, xattrs: [["with", "everything"]] },
];

test("the contents of a full backup and an incremental are restored as they were", async (t) => {
  const pools = await makePools(4);
  const [hot = "", cold = "", hotAgain = "", coldAgain = ""] = pools;
  const etcd = await EtcdServer.start();
  t.teardown(async () => {
    await etcd.stop();
    await dropPools(pools);
  });
  await writeObjects(hot, OBJECTS);
  await writeObjects(cold, [
    { name: "stays", data: "as it is" },
    { name: "changes", data: "before", xattrs: [["old", "x"]], omap: [["old", "y"]] },
    { name: "goes", data: "away" },
  ]);
  await etcd.ctl("put", "plain", "value");
  await etcd.ctl("put", "empty", "");
  await etcd.ctl("put", "goes", "away");
  await etcd.ctl("put", "changes", "before");
  await etcd.put(Buffer.from("large"), randomBytes(1_400_000));
  await etcd.put(Buffer.from([0, 0xff, 0xfe]), Buffer.from([0, 1, 2, 0xff]));

  const folder = newFolder();
  const full = join(folder, "full");
  const incremental = join(folder, "incremental");
  const target = ["--etcd", etcd.endpoint, ...cephFlags()];
  const include = ["--include-pool", hot, "--include-pool", cold];

  const created = await backuptool(["create", "--outputdir", full, ...target, ...include]);
  t.is(created.code, 0, created.stderr);
  t.deepEqual(lines(created.stdout).slice(2), [
    "skipping incremental metadata",
    "this backup will include 2 pools:",
    ` - ${hot}`,
    ` - ${cold}`,
    "creating new file ARCHIVE00000.bin",
    `CEPH DONE; included ${OBJECTS.length + 3} ceph objects (skipped 0 unchanged)`,
    "ETCD DONE; included 6 etcd records",
  ]);
  const hotThen = await dumpPool(hot);
  const coldThen = await dumpPool(cold);
  const pairsThen = await etcd.pairs();

  await writeObjects(cold, [{ name: "new", size: 100 }]);
  await removeObjects(cold, [{ name: "goes" }, { name: "changes" }]);
  await writeObjects(cold, [{ name: "changes", data: "after" }]);
  await etcd.ctl("del", "goes");
  await etcd.ctl("put", "changes", "after");
  const coldNow = await dumpPool(cold);
  const pairsNow = await etcd.pairs();
  const second = await backuptool([
    "create",
    "--outputdir",
    incremental,
    "--incremental-over",
    full,
    ...target,
    ...include,
  ]);
  t.is(second.code, 0, second.stderr);
  t.deepEqual(lines(second.stdout).slice(-2), [
    `CEPH DONE; included 2 ceph objects (skipped ${OBJECTS.length + 1} unchanged)`,
    "ETCD DONE; included 1 etcd records",
  ]);

  for (const outputdir of [full, incremental]) {
    const inspected = await backuptool(["inspect", "--outputdir", outputdir]);
    t.is(inspected.code, 0, inspected.stderr);
  }

  const mapping = [
    "--restore-pool",
    `${hot}:${hotAgain}`,
    "--restore-pool",
    `${cold}:${coldAgain}`,
  ];
  // Existing objects are replaced, whatever they had.
  await writeObjects(coldAgain, [
    { name: "stays", size: 1000, xattrs: [["leftover", "x"]], omap: [["leftover", "y"]] },
  ]);
  const cleared = await backuptool(["clear", "--etcd", etcd.endpoint, "--skip-ceph", "--yes"]);
  t.is(cleared.stdout.toString(), "deleted etcd keys\ndone\n");
  t.deepEqual(await etcd.pairs(), []);
  const restored = await backuptool(["restore", "--outputdir", full, ...target, ...mapping]);
  t.is(restored.code, 0, restored.stderr);
  t.deepEqual(lines(restored.stdout).slice(2), [
    "connecting etcd",
    "connecting ceph",
    `Restore complete: restored ${OBJECTS.length + 3} ceph objects, skipped 0 ceph objects and restored  6 etcd records`,
  ]);
  t.deepEqual(await dumpPool(hotAgain), hotThen);
  t.deepEqual(await dumpPool(coldAgain), coldThen);
  t.deepEqual(await etcd.pairs(), pairsThen);

  const over = await backuptool(["restore", "--outputdir", incremental, ...target, ...mapping]);
  t.is(over.code, 0, over.stderr);
  t.deepEqual(await dumpPool(hotAgain), hotThen);
  t.deepEqual(await dumpPool(coldAgain), coldNow);
  t.deepEqual(await etcd.pairs(), pairsNow);

  const emptied = await backuptool([
    "clear",
    "--yes",
    "--skip-etcd",
    ...cephFlags(),
    "--include-pool",
    hotAgain,
    "--include-pool",
    coldAgain,
  ]);
  t.is(emptied.code, 0, emptied.stderr);
  t.is(lines(emptied.stdout).length, hotThen.length + coldNow.length + 1);
  t.deepEqual(await dumpPool(hotAgain), []);
  await backuptool(["clear", "--etcd", etcd.endpoint, "--skip-ceph", "--yes"]);
  const chain = await backuptool([
    "restore",
    "--outputdir",
    incremental,
    "--with-base",
    full,
    ...target,
    ...mapping,
  ]);
  t.is(chain.code, 0, chain.stderr);
  t.deepEqual(await dumpPool(hotAgain), hotThen);
  t.deepEqual(await dumpPool(coldAgain), coldNow);
  t.deepEqual(await etcd.pairs(), pairsNow);
});
