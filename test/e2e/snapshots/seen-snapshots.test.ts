import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { backuptool } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import { age, forgeSnapshot } from "../../support/stores/forged-snapshots.js";

const WARNING =
  /^warning: .* shows an older state than before: it had (\S+) \(backup .*\), and its newest is (\S+)/m;

/** A Local store with a snapshot for each time, and a folder for the memory of its snapshots. */
function storeWith(...times: number[]) {
  const [store, state] = [newFolder(), newFolder()];
  const snapshots = times.map((time) => forgeSnapshot(store, { time }));
  const run = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const { code, stdout, stderr } = await backuptool(args, {
      env: { BACKUPTOOL_STATE_DIR: state, ...env },
    });
    return { code, stdout: stdout.toString(), stderr, warned: WARNING.exec(stderr) };
  };
  const list = () => run(["snapshot", "list", "--store", `file://${store}`]);
  return { store, state, snapshots, run, list };
}

function remove(snapshot: { readonly folder: string } | undefined): void {
  rmSync(snapshot?.folder ?? "", { recursive: true });
}

test("every command warns of a store whose newest snapshot is older than before, until the memory is removed", async (t) => {
  const { store, state, snapshots, run, list } = storeWith(1000, 2000);
  const [old, newest] = snapshots;
  const seen = await list();
  t.deepEqual([seen.code, seen.stderr], [0, ""]);
  remove(newest);
  const at = ["--store", `file://${store}`];
  const elsewhere = newFolder();
  for (const args of [
    ["snapshot", "list", ...at],
    ["snapshot", "list", ...at, "--quiet"],
    ["snapshot", "list", "--store", `file://${elsewhere}`, "--secondary-store", `file://${store}`],
    ["snapshot", "verify", "latest", ...at],
    ["snapshot", "prune-incomplete", ...at],
    ["copy", ...at, "--secondary-store", `file://${elsewhere}`],
    ["snapshot", "list", ...at],
  ]) {
    const { code, stderr, warned } = await run(args);
    t.is(code, 0, stderr);
    t.deepEqual(warned?.slice(1), [newest?.name, old?.name], `${args.join(" ")}: ${stderr}`);
    t.is(stderr.match(/shows an older state/g)?.length, 1, stderr);
  }
  const json = await run(["snapshot", "list", ...at, "--json"]);
  t.is(json.stdout.match(/"type":"warning"/g)?.length, 1);
  const { stderr } = await list();
  const [, file = ""] = /to end this warning, remove (\S+)$/m.exec(stderr) ?? [];
  t.true(file.startsWith(state), stderr);
  rmSync(file);
  t.is((await list()).stderr, "");
  t.is((await list()).stderr, "");
});

test("a store that became empty, or has another backup under a name, gives a warning", async (t) => {
  const { store, snapshots, run, list } = storeWith(1000);
  const [only] = snapshots;
  await list();
  remove(only);
  const again = forgeSnapshot(store, { time: 1000 });
  t.true(again.name === only?.name);
  const named = await run(["snapshot", "verify", again.name, "--store", `file://${store}`]);
  const listed = await list();
  for (const { stderr } of [named, listed]) {
    t.regex(stderr, new RegExp(`its newest is another one under this name .backup ${again.id}`));
  }
  remove(again);
  const verified = await run(["snapshot", "verify", "latest", "--store", `file://${store}`]);
  t.is(verified.code, 1);
  t.regex(verified.stderr, /its newest is no complete snapshot now/);
  t.regex((await list()).stderr, /its newest is no complete snapshot now/);
});

test("a snapshot without its manifest or a file counts as lost", async (t) => {
  const { snapshots, list } = storeWith(1000, 2000);
  await list();
  rmSync(join(snapshots[1]?.folder ?? "", "ARCHIVE00000.bin"));
  t.deepEqual((await list()).warned?.slice(1), [snapshots[1]?.name, snapshots[0]?.name]);
});

test("deletion and pruning by this program cause no warning, and newer snapshots are remembered", async (t) => {
  const { store, snapshots, run, list } = storeWith(1000, 2000, 3000);
  const at = ["--store", `file://${store}`];
  const [first, second, third] = snapshots;
  await list();
  const dry = await run(["snapshot", "delete", third?.name ?? "", ...at, "--dry-run"]);
  t.is(dry.code, 0, dry.stderr);
  for (const one of [third, first, second]) {
    const { code, stderr } = await run(["snapshot", "delete", one?.name ?? "", ...at, "--yes"]);
    t.is(code, 0, stderr);
    t.notRegex((await list()).stderr, /older state/);
  }
  const next = forgeSnapshot(store, { time: 4000 });
  t.is((await list()).stderr, "");
  forgeSnapshot(store, { time: 3500 });
  t.is((await list()).stderr, "");
  // As an interrupted deletion leaves it.
  rmSync(join(next.folder, "MANIFEST.json"));
  for (const file of readdirSync(next.folder)) age(join(next.folder, file), 4000);
  t.truthy((await list()).warned);
  t.is((await run(["snapshot", "prune-incomplete", ...at])).code, 0);
  t.is((await list()).stderr, "");
});

test("a memory that cannot be read gives a warning and is replaced, and no command fails", async (t) => {
  const { state, snapshots, list } = storeWith(1000, 2000);
  await list();
  const [name = ""] = readdirSync(state);
  const file = join(state, name);
  t.is(statSync(file).mode & 0o777, 0o600);
  const good = readFileSync(file, "utf8");
  for (const bad of ["", "{", "null", "[]", good.slice(0, -20), good.replace("Full", "Fool")]) {
    writeFileSync(file, bad);
    const { code, stderr } = await list();
    t.is(code, 0, stderr);
    t.regex(stderr, /^warning: what file:\/\/.* has shown before is not known: /);
    t.is(readFileSync(file, "utf8"), good);
    t.is((await list()).stderr, "");
  }
  rmSync(file);
  mkdirSync(file);
  const blocked = await list();
  t.is(blocked.code, 0, blocked.stderr);
  t.regex(blocked.stderr, /cannot be read: EISDIR/);
  t.regex(blocked.stderr, /is not remembered: .* cannot be written: /);
  t.true(snapshots.length === 2);
  t.deepEqual(readdirSync(state), [name]);
});

test("parallel runs leave one complete file", async (t) => {
  const { store, state, run, list } = storeWith(1000, 2000);
  const at = ["--store", `file://${store}`];
  const results = await Promise.all(
    Array.from({ length: 8 }, () => run(["snapshot", "list", ...at])),
  );
  for (const { code, stderr } of results) t.deepEqual([code, stderr], [0, ""]);
  t.is(readdirSync(state).length, 1);
  t.is((await list()).stderr, "");
});

test("the memory is in the state folder of XDG or of the user; without a home there is none", async (t) => {
  const { store, state } = storeWith(1000);
  const run = (args: string[], env: Readonly<Record<string, string | undefined>>) =>
    backuptool(["snapshot", "list", "--store", `file://${store}`, ...args], {
      env: { BACKUPTOOL_STATE_DIR: undefined, XDG_STATE_HOME: undefined, ...env },
    });
  await run([], { XDG_STATE_HOME: join(state, "xdg") });
  t.is(readdirSync(join(state, "xdg", "backuptool")).length, 1);
  mkdirSync(join(state, "home"));
  await run([], { HOME: join(state, "home") });
  t.is(readdirSync(join(state, "home", ".local", "state", "backuptool")).length, 1);
  const absent = { HOME: join(state, "absent") };
  const silent = await run([], absent);
  t.deepEqual([silent.code, silent.stderr], [0, ""]);
  const verbose = await run(["--verbose"], absent);
  t.regex(verbose.stderr, /there is no folder to remember snapshots in/);
  // A home that cannot be written: a file is in its place.
  writeFileSync(join(state, "home", "file"), "");
  const unwritable = { XDG_STATE_HOME: join(state, "home", "file") };
  t.is((await run([], unwritable)).stderr, "");
  t.regex((await run(["--verbose"], unwritable)).stderr, /is not remembered: /);
});

test("create remembers its snapshot, and warns of a store that lost it", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const { store, run, list } = storeWith();
  const second = newFolder();
  await etcd.ctl("put", "key", "value");
  const create = ["create", "--skip-ceph", "--etcd", etcd.endpoint, "--store", `file://${store}`];
  const both = [...create, "--secondary-store", `file://${second}`];
  t.is((await run(create)).code, 0);
  const made = await run(both);
  t.is(made.code, 0, made.stderr);
  const [, name = ""] = /^SNAPSHOT DONE; ([^:]+):/m.exec(made.stdout) ?? [];
  rmSync(join(store, name), { recursive: true });
  rmSync(join(second, name), { recursive: true });
  t.is((await list()).warned?.[1], name);
  const secondary = await run(["snapshot", "list", "--store", `file://${second}`]);
  t.is(secondary.warned?.[1] ?? secondary.stderr, name);
  const inspected = await run(["inspect", "--quick", "--store", `file://${store}`]);
  t.is(inspected.code, 0, inspected.stderr);
  t.is(inspected.warned?.[1], name);
  const over = await run([...create, "--incremental-over", "latest"]);
  t.is(over.code, 0, over.stderr);
  t.is(over.warned?.[1], name);
  t.is(over.stderr.match(/shows an older state/g)?.length, 1, over.stderr);
  t.falsy((await list()).warned);
  rmSync(store, { recursive: true });
  const full = await run(create);
  t.is(full.code, 0, full.stderr);
  t.regex(full.stderr, /its newest is no snapshot now/);
});
