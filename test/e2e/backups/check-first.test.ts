import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { backuptool, cephFlags, lines } from "../../support/program/backuptool.js";
import { dropPools, dumpPool, makePools, writeObjects } from "../../support/ceph/client.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import { originalFixture } from "../../support/original/fixtures.js";
import { ORIGINAL_PASSPHRASE } from "../../support/original/writer.js";

let pools: string[] = [];
let etcd: EtcdServer;
let target: EtcdServer;
/** A chain of two backups in a Local store, the full one first. */
const store = newFolder();
const names: string[] = [];

test.before(async (t) => {
  [pools, etcd, target] = await Promise.all([makePools(2), EtcdServer.start(), EtcdServer.start()]);
  const [from = ""] = pools;
  for (const round of ["first", "second"]) {
    await writeObjects(
      from,
      [0, 1, 2, 3].map((i) => ({ name: `${round} ${i}`, size: 700_000 })),
    );
    await etcd.putMany([[round, "value"]]);
    const { code, stdout, stderr } = await backuptool([
      "create",
      "--etcd",
      etcd.endpoint,
      ...cephFlags(),
      "--include-pool",
      from,
      "--store",
      `file://${store}`,
      "--archive-size",
      "1MiB",
      ...(round === "first" ? [] : ["--incremental-over", "latest"]),
    ]);
    t.is(code, 0, stderr);
    names.push(/^SNAPSHOT DONE; ([^:]+):/.exec(lines(stdout).at(-1) ?? "")?.[1] ?? "");
  }
});

test.after.always(async () => {
  await Promise.all([etcd.stop(), target.stop()]);
  await dropPools(pools);
});

/** A copy of the store in which the end of one file of a snapshot is damaged: of its last archive file. */
function damaged(snapshot: string, kind = "ARCHIVE"): string {
  const copy = newFolder();
  cpSync(store, copy, { recursive: true });
  const last = readdirSync(join(copy, snapshot))
    .filter((name) => name.startsWith(kind))
    .sort()
    .at(-1);
  const path = join(copy, snapshot, last ?? "");
  const bytes = readFileSync(path);
  bytes.writeUInt8((bytes.at(-1) ?? 0) ^ 1, bytes.length - 1);
  writeFileSync(path, bytes);
  return copy;
}

async function emptyTarget(): Promise<void> {
  const [, to = ""] = pools;
  const flags = ["--etcd", target.endpoint, ...cephFlags(), "--include-pool", to];
  await backuptool(["clear", ...flags, "--yes"]);
}

async function held(): Promise<{ objects: number; keys: string }> {
  const { length } = await dumpPool(pools[1] ?? "");
  return { objects: length, keys: await target.ctl("get", "--prefix", "", "--keys-only") };
}

function into(): string[] {
  const [from = "", to = ""] = pools;
  return ["--etcd", target.endpoint, ...cephFlags(), "--restore-pool", `${from}:${to}`];
}

test.serial(
  "damage at the end of any backup of a chain leaves a target with contents unchanged",
  async (t) => {
    await emptyTarget();
    await target.putMany([["own", "value"]]);
    const before = await held();
    for (const name of names) {
      const copy = damaged(name);
      const chain = [
        "--outputdir",
        join(copy, names[1] ?? ""),
        "--with-base",
        join(copy, names[0] ?? ""),
      ];
      for (const from of [["--store", `file://${copy}`], chain]) {
        const { code, stderr } = await backuptool(["restore", ...from, ...into()]);
        t.is(code, 11, stderr);
        t.regex(stderr, /ARCHIVE\d+\.bin chunk \d+: .*; nothing was written/, stderr);
        t.deepEqual(await held(), before);
      }
    }
    const whole = await backuptool(["restore", "--store", `file://${store}`, ...into()]);
    t.is(whole.code, 0, whole.stderr);
    t.is((await held()).objects, 8);
  },
);

test.serial("an object alone makes the target not empty", async (t) => {
  await emptyTarget();
  await writeObjects(pools[1] ?? "", [{ name: "own", data: "value" }]);
  const before = await held();
  const copy = damaged(names[1] ?? "");
  const { code } = await backuptool(["restore", "--store", `file://${copy}`, ...into()]);
  t.is(code, 11);
  t.deepEqual(await held(), before);
});

test.serial("an empty target is written at once, unless --check-first asks for more", async (t) => {
  const copy = damaged(names[1] ?? "");
  const restore = ["restore", "--store", `file://${copy}`, ...into()];
  await emptyTarget();
  const checked = await backuptool([...restore, "--check-first"]);
  t.is(checked.code, 11, checked.stderr);
  t.deepEqual(await held(), { objects: 0, keys: "" });
  const { code, stderr } = await backuptool(restore);
  t.is(code, 11, stderr);
  t.true((await held()).objects > 0);
});

test.serial("damage of any index of a chain is found before anything is written", async (t) => {
  for (const name of names) {
    const copy = damaged(name, "INDEX");
    await emptyTarget();
    const { code, stderr } = await backuptool(["restore", "--store", `file://${copy}`, ...into()]);
    t.is(code, 11, stderr);
    t.regex(stderr, /INDEX\.bin chunk 0: .*; 0 ceph objects and 0 etcd records had been restored/);
    t.deepEqual(await held(), { objects: 0, keys: "" });
  }
});

test.serial("a backup alone is restored though its index is damaged, if asked", async (t) => {
  for (const [i, name] of names.entries()) {
    const folder = join(damaged(name, "INDEX"), name);
    const restore = ["restore", "--outputdir", folder, ...into()];
    await emptyTarget();
    const refused = await backuptool(restore);
    t.is(refused.code, 11, refused.stderr);
    t.regex(refused.stderr, /a backup alone is restored without its index \(--no-check-first\)/);
    t.deepEqual(await held(), { objects: 0, keys: "" });
    const { code, stderr } = await backuptool([...restore, "--no-check-first"]);
    t.is(code, 0, stderr);
    t.is((await held()).objects, 4);
    const cannotTell = /is not known, since INDEX\.bin is damaged/.test(stderr);
    t.is(cannotTell, i === 1, stderr);
  }
});

test.serial("--no-check-first, a variable and a file turn the check off", async (t) => {
  const copy = damaged(names[1] ?? "");
  const restore = ["restore", "--store", `file://${copy}`, ...into()];
  const config = join(newFolder(), "config.yaml");
  writeFileSync(config, "check-first: false\n");
  for (const [more, env] of [
    [["--no-check-first"], {}],
    [[], { BACKUPTOOL_CHECK_FIRST: "false" }],
    [["--config", config], {}],
  ] as const) {
    await emptyTarget();
    await target.putMany([["own", "value"]]);
    const { code, stderr } = await backuptool([...restore, ...more], { env });
    t.is(code, 11, stderr);
    t.true((await held()).objects > 0);
  }
});

test.serial(
  "a damaged archive of the original tool is found before anything is written",
  async (t) => {
    const copy = join(newFolder(), "copy");
    cpSync(originalFixture("intact", "full"), copy, { recursive: true });
    const last = readdirSync(copy)
      .filter((name) => name.startsWith("ARCHIVE"))
      .sort()
      .at(-1);
    const path = join(copy, last ?? "");
    const bytes = readFileSync(path);
    bytes.writeUInt8((bytes.at(-1) ?? 0) ^ 1, bytes.length - 1);
    writeFileSync(path, bytes);
    await emptyTarget();
    await target.putMany([["own", "value"]]);
    const before = await held();
    const restore = ["restore", "--outputdir", copy, "--etcd", target.endpoint, "--skip-ceph"];
    const { code, stderr } = await backuptool(restore, {
      env: { BACKUPTOOL_PASSPHRASE: ORIGINAL_PASSPHRASE },
    });
    t.is(code, 11, stderr);
    t.regex(stderr, /nothing was written/);
    t.deepEqual(await held(), before);
  },
);
