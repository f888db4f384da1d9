import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { backuptool, cephFlags, createOfEtcd, lines } from "../../support/program/backuptool.js";
import {
  dropPools,
  dumpPool,
  makePools,
  removeObjects,
  writeObjects,
} from "../../support/ceph/client.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { FaultyProxy } from "../../support/network/faulty-proxy.js";
import { newFolder } from "../../support/folders.js";
import { forgeSnapshot } from "../../support/stores/forged-snapshots.js";
import { judgeStore } from "../../support/stores/judge-store.js";
import { newBucket, radosgw } from "../../support/stores/s3-buckets.js";
import { bothStores, bucketStore, folderStore } from "../../support/stores/flags.js";

const local = newFolder();
const folder = folderStore(local);
let bucket: ReturnType<typeof bucketStore>;
let both: ReturnType<typeof bothStores>;
let pools: string[] = [];
let etcd: EtcdServer;
let fresh: EtcdServer;

test.before(async () => {
  bucket = bucketStore(await newBucket(), { prefix: "site/a" });
  both = bothStores(bucket, folder);
  [pools, etcd, fresh] = await Promise.all([makePools(2), EtcdServer.start(), EtcdServer.start()]);
});

test.after.always(async () => {
  await Promise.all([etcd.stop(), fresh.stop()]);
  await dropPools(pools);
});

/** Runs the program with both stores; it must exit with `code`. */
async function run(
  t: { is(a: unknown, b: unknown, message?: string): void },
  code: number,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ out: string[]; err: string; stdout: Buffer }> {
  const { stdout, stderr, ...result } = await backuptool([...args, ...both.flags], {
    env: { ...both.env, ...env },
  });
  const said = args[0] === "cat" ? "" : stdout.toString();
  t.is(result.code, code, `${args.join(" ")}: ${said}${stderr}`);
  return { out: lines(stdout), err: stderr, stdout };
}

async function digests(store: SnapStore, snapshot: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { key } of (await store.list(`${snapshot}/`)).objects) {
    const hash = createHash("sha256");
    for await (const piece of store.get(key)) hash.update(piece);
    found[key.slice(snapshot.length + 1)] = hash.digest("hex");
  }
  return found;
}

function folderDigests(path: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(path)
      .sort()
      .map((name) => [
        name,
        createHash("sha256")
          .update(readFileSync(join(path, name)))
          .digest("hex"),
      ]),
  );
}

/** The snapshot's name in `SNAPSHOT DONE; site/a/Full-…:0-9 is in …`. */
function nameIn(out: readonly string[]): string {
  return /^SNAPSHOT DONE; site\/a\/([^:]+):/.exec(out.at(-1) ?? "")?.[1] ?? "";
}

test.serial("a chain is written to two stores and restored from each of them", async (t) => {
  const [from = "", to = ""] = pools;
  const source = ["--etcd", etcd.endpoint, ...cephFlags(), "--include-pool", from];
  await writeObjects(from, [
    ...[0, 1, 65_536, 3 << 20, (6 << 20) + 1].map((size) => ({ name: `size-${size}`, size })),
    { name: "changes", data: "before", xattrs: [["old", "x"]], omap: [["old", "y"]] },
    { name: "goes", data: "away" },
    { name: "many", size: 10, omapEntries: 2000 },
  ]);
  await etcd.putMany([
    ["changes", "before"],
    ["goes", "away"],
    ["stays", "as it is"],
  ]);
  await etcd.put(Buffer.from("large"), randomBytes(1_400_000));

  const small = ["--archive-size", "1MiB"];
  const full = await run(t, 0, ["create", ...source, ...small]);
  const names = [nameIn(full.out)];
  t.regex(names[0] ?? "", /^Full-00000000-0000000\d-\d{10}$/);
  t.regex(
    full.out.at(-1) ?? "",
    /^SNAPSHOT DONE; site\/a\/Full-.*:0-\d is in s3:\/\/test-.*\/site\/a and file:\/\/.*$/,
  );
  t.true(full.out.filter((line) => line.startsWith("creating new file")).length > 3);

  await writeObjects(from, [{ name: "changes", data: "in between" }]);
  await removeObjects(from, [{ name: "goes" }]);
  await etcd.ctl("del", "goes");
  // And to a folder: the same files, with the same bytes, in three places.
  const outputdir = join(newFolder(), "third");
  const second = await run(t, 0, [
    "create",
    ...source,
    ...small,
    "--incremental-over",
    "latest",
    "--outputdir",
    outputdir,
  ]);
  names.push(nameIn(second.out));
  const here = folderDigests(outputdir);
  t.true(Object.keys(here).length >= 4);
  t.deepEqual(await digests(bucket.open(), names[1] ?? ""), here);
  t.deepEqual(await digests(folder.open(), names[1] ?? ""), here);

  await writeObjects(from, [
    { name: "changes", data: "after", xattrs: [["new", "z"]] },
    { name: "new", size: 2 << 20 },
  ]);
  await etcd.ctl("put", "changes", "after");
  const third = await run(t, 0, ["create", ...source, "--incremental-over", names[1] ?? ""]);
  names.push(nameIn(third.out));
  t.regex(names[2] ?? "", /^Incr-/);
  for (const store of [bucket.open(), folder.open()]) {
    t.deepEqual(await judgeStore(store), { whole: names, unfinished: [], lies: [] });
  }
  const [objects, pairs] = await Promise.all([dumpPool(from), etcd.pairs()]);
  const restored = async (...which: string[]): Promise<string> => {
    const flags = ["--etcd", fresh.endpoint, ...cephFlags()];
    await backuptool(["clear", ...flags, "--include-pool", to, "--yes"]);
    t.deepEqual(await dumpPool(to), []);
    const restore = ["restore", ...which, "--restore-pool", `${from}:${to}`, ...flags];
    const { err } = await run(t, 0, restore);
    t.deepEqual(await dumpPool(to), objects);
    t.deepEqual(await fresh.pairs(), pairs);
    return err;
  };
  t.regex(await restored(), new RegExp(`^reading snapshot ${names[2]} from s3://`, "m"));
  t.regex(await restored("--from", "secondary"), /^reading snapshot Incr-.* from file:\/\//m);
  // The newest snapshot of the secondary is made incomplete: that of the primary is newer.
  rmSync(join(local, names[2] ?? "", "MANIFEST.json"));
  t.regex(await restored("--from", "newest-complete"), /^reading snapshot Incr-.* from s3:\/\//m);
  const older = await run(t, 0, ["inspect", "--from", "secondary"]);
  t.regex(older.err, new RegExp(`^reading snapshot ${names[1]} from file://`, "m"));
  const chosen = ["--snapshot", names[2] ?? "", "--from", "secondary"];
  const unfinished = await run(t, 11, [
    "restore",
    ...chosen,
    "--skip-ceph",
    "--etcd",
    fresh.endpoint,
  ]);
  t.regex(unfinished.err, new RegExp(`${names[2]}.* is unfinished`));

  // Inspect prints the same for a folder and a store.
  const inStore = await run(t, 0, ["inspect", "--snapshot", names[1] ?? ""]);
  const inFolder = await backuptool(["inspect", "--outputdir", outputdir]);
  t.deepEqual(inStore.out.slice(2), lines(inFolder.stdout).slice(2));
  const tar = await run(t, 0, ["cat", "--snapshot", names[1] ?? ""]);
  const same = await backuptool(["cat", "--outputdir", outputdir]);
  t.is(tar.stdout.compare(same.stdout), 0);

  const wrong = { BACKUPTOOL_PASSPHRASE: "another" };
  await run(t, 10, ["inspect"], wrong);
  await run(t, 10, ["create", ...source, "--incremental-over", "latest"], wrong);
});

test.serial("an incremental over a folder, or without changes, is made and reported", async (t) => {
  const source = ["--etcd", etcd.endpoint, "--skip-ceph"];
  const base = join(newFolder(), "base");
  await backuptool(["create", ...source, "--outputdir", base]);
  const over = nameIn((await run(t, 0, ["create", ...source, "--incremental-over", base])).out);
  t.regex(over, /^Incr-/);
  t.true((await judgeStore(bucket.open())).whole.includes(over));
  t.true((await judgeStore(folder.open())).whole.includes(over));
  const onIt = await run(t, 1, ["create", ...source, "--incremental-over", over]);
  t.regex(onIt.err, new RegExp(`${over} is based on backup [0-9a-f]{32}, which is not in s3:`));
  // Its base is in no store: an error before anything is written.
  const { err } = await run(t, 1, [
    "restore",
    "--snapshot",
    over,
    "--skip-ceph",
    "--etcd",
    fresh.endpoint,
  ]);
  t.regex(err, /is based on backup [0-9a-f]{32}, which is not in s3:/);
  const into = ["--skip-ceph", "--etcd", fresh.endpoint];
  await backuptool(["clear", ...into, "--yes"]);
  await run(t, 0, ["restore", "--snapshot", over, "--with-base", base, ...into]);
  t.deepEqual(await fresh.pairs(), await etcd.pairs());
  const none = await run(t, 1, ["create", ...source, "--incremental-over", "Full-1-2-3"]);
  t.regex(none.err, /there is no folder Full-1-2-3/);
  const absent = "Full-00000000-00000001-1000000000";
  const missing = await run(t, 1, ["create", ...source, "--incremental-over", absent]);
  t.regex(missing.err, /holds no snapshot Full-00000000-00000001-1000000000/);
});

test.serial("after the clock was set back, latest is the backup that was made last", async (t) => {
  const path = newFolder();
  const ahead = folderStore(path);
  const time = Math.floor(Date.now() / 1000) + 7200;
  forgeSnapshot(path, { time });
  const create = async (...more: string[]) => {
    const flags = ["--skip-ceph", "--etcd", etcd.endpoint, ...ahead.flags()];
    const { code, stdout, stderr } = await backuptool(["create", ...flags, ...more]);
    t.is(code, 0, stderr);
    t.regex(
      stderr,
      /^warning: \S+ in file:\S+ has a name in the future \(.*Z\): this backup is named after it/m,
    );
    return /^SNAPSHOT DONE; ([^:]+):/m.exec(stdout.toString())?.[1] ?? "";
  };
  t.regex(await create(), new RegExp(`^Full-.*-${time + 1}$`));
  t.regex(await create("--incremental-over", "latest"), new RegExp(`^Incr-.*-${time + 2}$`));
  const into = ["--skip-ceph", "--etcd", fresh.endpoint];
  await backuptool(["clear", ...into, "--yes"]);
  const restored = await backuptool(["restore", ...into, ...ahead.flags()]);
  t.is(restored.code, 0, restored.stderr);
  t.deepEqual(await fresh.pairs(), await etcd.pairs());
});

test.serial("an incremental over a chain with a missing part fails", async (t) => {
  const nights = newFolder();
  const kept = folderStore(nights);
  const create = (...more: string[]) =>
    backuptool(["create", "--skip-ceph", "--etcd", etcd.endpoint, ...kept.flags(), ...more]);
  const over = ["--incremental-over", "latest"];
  for (const more of [[], over, over]) t.is((await create(...more)).code, 0);
  const names = (await judgeStore(kept.open())).whole;
  const [full = ""] = names;
  const aside = join(newFolder(), full);
  renameSync(join(nights, full), aside);
  const outputdir = join(newFolder(), "new");
  for (const base of ["latest", names[2] ?? ""]) {
    const failed = await create("--incremental-over", base, "--outputdir", outputdir);
    t.is(failed.code, 1, failed.stderr);
    t.regex(
      failed.stderr,
      new RegExp(`${names[1]} is based on backup [0-9a-f]{32}, which is not in file:`),
    );
    t.regex(failed.stderr, /; make a full backup, or copy the missing one there\n$/);
    t.deepEqual(readdirSync(nights).sort(), names.slice(1).sort());
    t.deepEqual(readdirSync(outputdir), []);
  }
  renameSync(aside, join(nights, full));
  t.is((await create(...over)).code, 0);
});

test.serial(
  "a secondary without the base gives a warning, until the base is copied there",
  async (t) => {
    const [first, second] = [folderStore(newFolder()), folderStore(newFolder())];
    const source = ["--skip-ceph", "--etcd", etcd.endpoint];
    const stores = [...first.flags(), ...second.flags("secondary")];
    const full = await backuptool(["create", ...source, ...first.flags()]);
    t.is(full.code, 0, full.stderr);
    const [name = ""] = (await judgeStore(first.open())).whole;
    const create = ["create", ...source, ...stores, "--incremental-over", "latest"];
    const made = await backuptool(create);
    t.is(made.code, 3, made.stderr);
    const warning = `warning: the secondary store does not have ${name}, the base of this backup: copy it there`;
    t.true(made.stderr.includes(warning), made.stderr);
    t.is((await judgeStore(second.open())).whole.length, 1);
    t.is((await backuptool(["copy", ...stores])).code, 0);
    const next = await backuptool(create);
    t.is(next.code, 0, next.stderr);
  },
);

test.serial(
  "a folder that is complete when the store fails is not reported as unfinished",
  async (t) => {
    const rejectingBucket = await newBucket();
    const failing = async (file: string) => {
      const proxy = await FaultyProxy.start(radosgw().endpoint, ({ method, url }) =>
        method === "PUT" && url.includes(file) ? { kind: "status", status: 403 } : undefined,
      );
      t.teardown(() => proxy.close());
      const store = bucketStore(rejectingBucket, { endpoint: proxy.url });
      const outputdir = join(newFolder(), "kept");
      const made = await backuptool(
        createOfEtcd(etcd, "--outputdir", outputdir, ...store.flags()),
        { env: store.env() },
      );
      t.is(made.code, 1, made.stderr);
      t.regex(
        made.stderr,
        /; snapshot Full-\S+ is unfinished: backuptool snapshot prune-incomplete removes it\n$/,
      );
      return { outputdir, said: made.stderr };
    };
    const last = await failing("MANIFEST.json");
    t.regex(last.said, /; the backup in ".*\/kept" is complete: keep that folder; snapshot /);
    t.is((await backuptool(["inspect", "--outputdir", last.outputdir])).code, 0);
    const before = await failing("INDEX.bin");
    t.regex(before.said, /; the backup in ".*\/kept" is unfinished: remove that folder /);
  },
);

test.serial("a backup of nothing is complete in both stores", async (t) => {
  const [, empty = ""] = pools;
  const nothing = await EtcdServer.start();
  t.teardown(() => nothing.stop());
  await backuptool(["clear", ...cephFlags(), "--include-pool", empty, "--skip-etcd", "--yes"]);
  const source = ["--etcd", nothing.endpoint, ...cephFlags(), "--include-pool", empty];
  const name = nameIn((await run(t, 0, ["create", ...source])).out);
  for (const role of ["primary", "secondary"]) {
    const { out } = await run(t, 0, ["inspect", "--snapshot", name, "--from", role]);
    t.is(out[2], "archive contains 0 ceph objects and 0 etcd records");
  }
});

test.serial("every command that reads a changed byte of a store finds it", async (t) => {
  const source = ["--etcd", etcd.endpoint, "--skip-ceph"];
  const name = nameIn((await run(t, 0, ["create", ...source])).out);
  const bytesOf = async (file: string): Promise<Buffer> => {
    const pieces: Uint8Array[] = [];
    for await (const piece of bucket.open().get(`${name}/${file}`)) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  for (const file of ["ARCHIVE00000.bin", "INDEX.bin", "METADATA.bin"]) {
    const good = await bytesOf(file);
    const bad = Buffer.from(good);
    bad[bad.length - 20] = (bad[bad.length - 20] as number) ^ 4;
    await bucket.open().put(`${name}/${file}`, bad);
    const inspected = await run(t, 11, ["inspect", "--snapshot", name]);
    t.regex(inspected.err, new RegExp(file));
    await bucket.open().put(`${name}/${file}`, good);
  }
  await run(t, 0, ["inspect", "--snapshot", name]);
  // A file that is shorter, and one that is missing.
  const path = join(local, name, "INDEX.bin");
  writeFileSync(path, readFileSync(path).subarray(0, -1));
  t.regex((await run(t, 11, ["inspect", "--from", "secondary", "--snapshot", name])).err, /INDEX/);
  rmSync(path);
  t.regex((await run(t, 11, ["inspect", "--from", "secondary", "--snapshot", name])).err, /INDEX/);
});
