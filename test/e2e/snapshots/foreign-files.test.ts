import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { snapshotName } from "../../../src/snapshots/name.js";
import { backuptool, lines } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import { age, forgeSnapshot } from "../../support/stores/forged-snapshots.js";

async function run(t: ExecutionContext, code: number, args: readonly string[]) {
  const result = await backuptool(args);
  t.is(result.code, code, `${args.join(" ")}: ${result.stdout.toString()}${result.stderr}`);
  return { out: lines(result.stdout), err: result.stderr };
}

/** A folder of another tool with the name of a snapshot. */
function foreign(folder: string, name: string): void {
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, "0000000001"), "another's");
}

test("a new backup gets a name that no folder or file of another tool has, and ignores their times", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  await etcd.put(Buffer.from("k"), Buffer.from("v"));
  const folder = newFolder();
  const now = Math.floor(Date.now() / 1000);
  const nameAt = (time: number) =>
    snapshotName({ kind: "full", firstRevision: 0, lastRevision: 2, time }).text;
  // A run takes seconds, and many on a busy machine.
  const taken = 600;
  for (let i = 0; i < taken; i++) {
    const name = nameAt(now + i);
    if (i % 2 === 0) foreign(folder, name);
    else writeFileSync(join(folder, name), "another's");
  }
  foreign(folder, "Full-00000000-00009002-9000000000");
  const before = readdirSync(folder);
  const create = ["create", "--skip-ceph", "--etcd", etcd.endpoint, "--store", `file://${folder}`];
  const { err } = await run(t, 0, create);
  t.notRegex(err, /has a name in the future/);
  const [made, ...more] = readdirSync(folder).filter((name) => !before.includes(name));
  t.deepEqual(more, []);
  t.is(made, nameAt(now + taken));
  const list = await run(t, 0, ["snapshot", "list", "--store", `file://${folder}`]);
  t.is(list.out.length, 2);
  t.true(list.out[1]?.startsWith(made ?? "?"));
  for (const name of before) t.true(readdirSync(folder).includes(name));
});

test("delete and prune-incomplete name the foreign file and change nothing", async (t) => {
  const folder = newFolder();
  const store = ["--store", `file://${folder}`];
  const whole = forgeSnapshot(folder, { time: 1_600_000_000 });
  const dead = forgeSnapshot(folder, { time: 1_600_000_001, unfinished: true });
  foreign(folder, "Full-00000000-00009002-1600000002");
  for (const { folder: at } of [whole, dead]) writeFileSync(join(at, "notes.txt"), "mine");
  for (const file of readdirSync(dead.folder)) age(join(dead.folder, file), 1_600_000_001);
  const list = await run(t, 0, ["snapshot", "list", ...store]);
  t.is(list.out.length, 3);
  for (const { name } of [whole, dead]) {
    t.regex(list.err, new RegExp(`^${name}: ${name}/notes\\.txt belongs to another program`, "m"));
    const gone = await run(t, 1, ["snapshot", "delete", name, "--yes", ...store]);
    t.regex(gone.err, new RegExp(`${name}/notes\\.txt in .* is not a file of backuptool`));
  }
  for (const more of [["--dry-run"], []]) {
    const pruned = await run(t, 0, ["snapshot", "prune-incomplete", ...store, ...more]);
    t.regex(pruned.err, new RegExp(`^warning: ${dead.name} is unfinished and kept: .*notes`, "m"));
    t.notRegex(pruned.out.join(), /delete/);
  }
  t.is(readdirSync(whole.folder).length, 5);
  t.is(readdirSync(dead.folder).length, 4);
  t.is(readdirSync(folder).length, 3);
});
