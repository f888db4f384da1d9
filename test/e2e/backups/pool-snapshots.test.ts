import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { CephCluster } from "../../../src/sources/ceph/cluster.js";
import type { OperationEvent } from "../../../src/operations/events.js";
import { backuptool, cephFlags, lines } from "../../support/program/backuptool.js";
import {
  dropPools,
  dumpPool,
  makePools,
  removeObjects,
  tellMonitors,
  writeObjects,
} from "../../support/ceph/client.js";
import { cephOptions, NEVER } from "../../support/ceph/load.js";
import { createHere } from "../../support/program/create-here.js";
import { newFolder } from "../../support/folders.js";

const TARGET = ["--skip-etcd", ...cephFlags()];

let pools: string[] = [];
test.before(async () => {
  pools = await makePools(4);
});
test.after.always(() => dropPools(pools));

const named = (...names: string[]) => names.map((name) => ({ name }));
const written = (...names: string[]) => names.map((name) => ({ name, data: `data of ${name}` }));
/** A pool snapshot that the operator made and forgot. */
const snapshot = (pool: string) =>
  tellMonitors({ prefix: "osd pool mksnap", pool, snap: "before the upgrade" });

/** Makes a backup here; `meanwhile` happens as soon as the first object was read. */
async function counted(pool: string, meanwhile: () => void = () => {}) {
  let done: Extract<OperationEvent, { type: "ceph-done" }> | undefined;
  let first = true;
  await createHere(
    {
      outputDir: join(newFolder(), "backup"),
      ceph: cephOptions(),
      includePools: [pool],
    },
    (event) => {
      if (event.type === "ceph-done") done = event;
      if (event.type !== "progress" || !first) return;
      first = false;
      meanwhile();
    },
  );
  return done;
}

test("objects deleted under a pool snapshot are neither backed up nor reported as vanished", async (t) => {
  const [from = "", to = ""] = pools;
  await writeObjects(from, written("stays", "a", "b", "c"));
  await writeObjects(from, [{ name: "a", namespace: "n", locator: "l", data: "located" }]);
  await snapshot(from);
  await removeObjects(from, [...named("a", "b"), { name: "a", namespace: "n", locator: "l" }]);
  const create = ["create", ...TARGET, "--include-pool", from, "--outputdir"];
  const full = join(newFolder(), "full");
  const made = await backuptool([...create, full]);
  t.is(made.code, 0, made.stderr);
  t.notRegex(made.stdout.toString() + made.stderr, /deleted while/);

  await removeObjects(from, named("c"));
  const incremental = join(newFolder(), "incremental");
  const later = await backuptool([...create, incremental, "--incremental-over", full]);
  t.is(later.code, 0, later.stderr);
  t.notRegex(later.stdout.toString() + later.stderr, /deleted while/);
  const chain = ["--outputdir", incremental, "--with-base", full];
  const restored = await backuptool([
    "restore",
    ...chain,
    ...TARGET,
    "--restore-pool",
    `${from}:${to}`,
  ]);
  t.is(restored.code, 0, restored.stderr);
  const names = (await dumpPool(to)).map((line) => Buffer.from(JSON.parse(line).name, "hex"));
  t.deepEqual(names.map(String), ["stays"]);
});

test("objects deleted while they are read are counted, in a pool with snapshots too", async (t) => {
  const [, , pool = ""] = pools;
  const many = Array.from({ length: 3000 }, (_, i) => `object ${i}`);
  await writeObjects(pool, written("kept", "older"));
  await snapshot(pool);
  await removeObjects(pool, named("older"));
  await writeObjects(pool, written(...many));
  const client = fileURLToPath(
    new URL("../../../../test/support/ceph/ceph_client.py", import.meta.url),
  );
  const gone = many.map((name) => ({
    namespace: "",
    locator: "",
    name: Buffer.from(name).toString("hex"),
  }));
  const done = await counted(pool, () => {
    // Synchronously: most objects are still to be read.
    const input = gone.map((object) => JSON.stringify(object)).join("\n");
    execFileSync("/usr/bin/python3", [client, "remove", pool], { input });
  });
  t.true((done?.vanished ?? 0) > 0);
  t.is((done?.included ?? 0) + (done?.vanished ?? 0), 1 + many.length);
});

test("clear names and deletes existing objects, and a pool without others is empty", async (t) => {
  const [, , , pool = ""] = pools;
  await writeObjects(pool, written("a", "b"));
  await snapshot(pool);
  await removeObjects(pool, named("a"));
  const deletions = async (flag: string) => {
    const args = ["clear", ...TARGET, "--include-pool", pool, flag];
    const { code, stdout, stderr } = await backuptool(args);
    t.is(code, 0, stderr);
    return lines(stdout).filter((line) => line.includes("ceph object"));
  };
  const ceph = await CephCluster.connect(cephOptions(), NEVER);
  const opened = await ceph.openPool(pool);
  t.true(await opened.hasObjects(NEVER));
  t.is((await deletions("--dry-run")).length, 1);
  t.is((await deletions("--yes")).length, 1);
  t.is((await deletions("--yes")).length, 0);
  t.false(await opened.hasObjects(NEVER));
  await ceph.close();
});
