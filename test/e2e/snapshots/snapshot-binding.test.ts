import { cpSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { parseSnapshotName, type SnapshotName, snapshotName } from "../../../src/snapshots/name.js";
import { backuptool, lines } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";

let etcd: EtcdServer;
let target: EtcdServer;

test.before(async () => {
  [etcd, target] = await Promise.all([EtcdServer.start(), EtcdServer.start()]);
});

test.after.always(async () => {
  await Promise.all([etcd.stop(), target.stop()]);
});

function source(): string[] {
  return ["--skip-ceph", "--etcd", etcd.endpoint];
}

async function make(store: string, ...flags: string[]): Promise<string> {
  const { code, stdout, stderr } = await backuptool([
    "create",
    ...source(),
    "--store",
    `file://${store}`,
    ...flags,
  ]);
  if (code !== 0) throw new Error(stderr);
  return /^SNAPSHOT DONE; ([^:]+):/.exec(lines(stdout).at(-1) ?? "")?.[1] ?? "";
}

/** Replaces the snapshot `to` by a copy of `from`. */
function replace(store: string, to: string, from: string): void {
  rmSync(join(store, to), { recursive: true, force: true });
  cpSync(join(store, from), join(store, to), { recursive: true });
}

test.serial(
  "an older snapshot in the place of a newer one is rejected by every command that reads it",
  async (t) => {
    const store = newFolder();
    await etcd.ctl("put", "state", "old");
    const old = await make(store);
    await etcd.ctl("put", "state", "new");
    const newer = await make(store);
    replace(store, newer, old);
    const at = ["--store", `file://${store}`, "--snapshot", newer];
    const create = [
      "create",
      ...source(),
      "--store",
      `file://${store}`,
      "--incremental-over",
      newer,
    ];
    await target.ctl("put", "own", "untouched");
    for (const args of [
      ["inspect", ...at],
      ["inspect", "--quick", ...at],
      ["cat", ...at],
      ["restore", "--skip-ceph", "--etcd", target.endpoint, ...at],
      create,
    ]) {
      const { code, stdout, stderr } = await backuptool(args);
      t.is(code, 11, `${args[0]}: ${stderr}`);
      t.true(stderr.includes(newer) && stderr.includes(old), stderr);
      if (args[0] === "cat") t.is(stdout.length, 0);
    }
    t.is(await target.ctl("get", "--prefix", ""), "own\nuntouched\n");
    const listed = await backuptool(["snapshot", "list", "--store", `file://${store}`]);
    t.is(listed.code, 0, listed.stderr);
    t.true(listed.stderr.includes(`${newer}: it holds the same backup as ${old}`), listed.stderr);
  },
);

test.serial("a renamed base is rejected", async (t) => {
  const store = newFolder();
  await etcd.ctl("put", "state", "base");
  const full = await make(store);
  const over = await make(store, "--incremental-over", "latest");
  const { text, ...facts } = parseSnapshotName(full) as SnapshotName;
  const moved = snapshotName({ ...facts, time: facts.time - 1 }).text;
  t.is(text, full);
  renameSync(join(store, full), join(store, moved));
  const restored = await backuptool([
    "restore",
    "--skip-ceph",
    "--etcd",
    target.endpoint,
    "--store",
    `file://${store}`,
    "--snapshot",
    over,
  ]);
  t.is(restored.code, 11, restored.stderr);
  t.true(restored.stderr.includes(moved) && restored.stderr.includes(full), restored.stderr);
});

test.serial(
  "a backup that was made in a folder is read from a store under names that its facts allow",
  async (t) => {
    const folder = join(newFolder(), "backup");
    await etcd.ctl("put", "state", "folder");
    const made = await backuptool(["create", ...source(), "--outputdir", folder, "--json"]);
    t.is(made.code, 0, made.stderr);
    const inspected = await backuptool(["inspect", "--quick", "--outputdir", folder, "--json"]);
    const [{ details }] = lines(inspected.stdout)
      .map((line) => JSON.parse(line))
      .filter(({ type }) => type === "inspected");
    const own = {
      kind: "full",
      firstRevision: 0,
      lastRevision: details.etcdRevision,
      time: Math.floor(Date.parse(details.startedAt) / 1000),
    } as const;
    const store = newFolder();
    const read = async (facts: Omit<SnapshotName, "text">) => {
      const { text } = snapshotName(facts);
      cpSync(folder, join(store, text), { recursive: true });
      const args = ["inspect", "--quick", "--store", `file://${store}`, "--snapshot", text];
      const { code, stderr } = await backuptool(args);
      const verified = await backuptool(["snapshot", "verify", text, "--store", `file://${store}`]);
      return { code, stderr, verified: verified.code, said: verified.stderr };
    };
    t.like(await read(own), { code: 0, verified: 0 });
    t.like(await read({ ...own, lastRevision: own.lastRevision + 1 }), { code: 11, verified: 0 });
    t.like(await read({ ...own, kind: "incremental" }), { code: 11, verified: 11 });
    const early = await read({ ...own, time: own.time - 7200 });
    t.like(early, { code: 11, verified: 0 });
    t.regex(early.said, /^warning: .*long after the time in its name/m);
    const late = await read({ ...own, time: own.time + 7200 });
    t.is(late.code, 0, late.stderr);
    t.regex(late.stderr, /^warning: .*before the time in its name/m);
  },
);

test.serial("restore and cat print which backup they read, on standard error", async (t) => {
  const store = newFolder();
  await etcd.ctl("put", "state", "printed");
  await make(store);
  await make(store, "--incremental-over", "latest");
  const at = ["--store", `file://${store}`];
  const inspected = await backuptool(["inspect", "--quick", "--json", ...at]);
  const { details } = lines(inspected.stdout)
    .map((line) => JSON.parse(line))
    .find(({ type }) => type === "inspected");
  const said = `backup ${details.id}: incremental, ${details.startedAt} to ${details.finishedAt}, etcd revision ${details.etcdRevision}`;
  const cat = await backuptool(["cat", ...at]);
  t.true(cat.stderr.split("\n").includes(said), cat.stderr);
  const restored = await backuptool(["restore", "--skip-ceph", "--etcd", target.endpoint, ...at]);
  t.true(restored.stderr.split("\n").includes(`${said}, with 1 base`), restored.stderr);
  t.false(restored.stdout.toString().includes(details.id));
});
