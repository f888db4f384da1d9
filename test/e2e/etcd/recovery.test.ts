import { existsSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { RunningServer } from "../../support/program/running-server.js";
import { Machines } from "../../support/recovery/machines.js";
import { readWalks } from "../../support/recovery/walks.js";

const walks = new Map(readWalks().map((walk) => [walk.title, walk.blocks]));

async function start(t: ExecutionContext): Promise<Machines> {
  const machines = await Machines.start();
  t.teardown(() => machines.etcd.kill());
  await machines.etcd.ctl(["put", "key", "value"]);
  return machines;
}

/** Types a section of docs/etcd-recovery.md as it is written. */
async function walk(t: ExecutionContext, machines: Machines, title: string): Promise<void> {
  const blocks = walks.get(title) ?? [];
  t.true(blocks.length > 0, title);
  for (const { machine, commands } of blocks) {
    for (const command of commands) {
      const { code, stdout, stderr } = await machines.type(machine, command);
      // A status says by 3 that something is wrong, as the page shows.
      const isFine = code === 0 || (command.startsWith("backuptool etcd status") && code === 3);
      t.true(isFine, `${machine}: ${command}: ${code}\n${stdout}${stderr}`);
    }
  }
}

/** The last status of a walk has no problems, and each member has the key. */
async function isWell(t: ExecutionContext, machines: Machines, names: string[]): Promise<void> {
  const members = names.map((name) => machines.member(name));
  const endpoints = members.map(({ endpoint }) => endpoint).join(",");
  const { code, stdout } = await machines.type(
    names[0] ?? "",
    `backuptool etcd status --etcd ${endpoints}`,
  );
  t.is(code, 0, stdout.toString());
  t.regex(stdout.toString(), /^cluster \w+, 3 members, led by/);
  for (const member of members) {
    t.is(await machines.etcd.ctl(["get", "key", "--print-value-only"], member), "value\n");
  }
}

test("one member is lost, as the page walks through it", async (t) => {
  const machines = await start(t);
  await walk(t, machines, "Before anything is lost");
  await machines.member("m3").lose();
  await walk(t, machines, "One member is lost");
  await isWell(t, machines, ["m1", "m2", "m3"]);
});

test("the majority is lost, as the page walks through it", async (t) => {
  const machines = await start(t);
  await machines.member("m2").lose();
  await machines.member("m3").lose();
  await walk(t, machines, "The majority is lost");
  await isWell(t, machines, ["m1", "m2", "m3"]);
});

test("another machine becomes the founder, as the page walks through it", async (t) => {
  const machines = await start(t);
  await walk(t, machines, "Before anything is lost");
  for (const name of ["m1", "m2", "m3"]) await machines.member(name).lose();
  await walk(t, machines, "All members are lost, and another machine begins");
  await isWell(t, machines, ["m1", "m2", "m3"]);
});

test("all members begin from one backup, as the page walks through it", async (t) => {
  const machines = await start(t);
  await walk(t, machines, "Before anything is lost");
  for (const name of ["m1", "m2", "m3"]) await machines.member(name).lose();
  await walk(t, machines, "All members begin from one backup");
  await machines.member("m3").untilHealthy();
  await isWell(t, machines, ["m1", "m2", "m3"]);
});

test("the cluster moves to other machines, as the page walks through it", async (t) => {
  const machines = await start(t);
  await walk(t, machines, "The cluster moves to other machines");
  await isWell(t, machines, ["m4", "m5", "m6"]);
});

test("a mistake is taken back, as the page walks through it", async (t) => {
  const machines = await start(t);
  const store = machines.storeOf("m1");
  const server = await RunningServer.start([
    ...["--skip-ceph", "--etcd", machines.member("m1").endpoint, "--store", store],
    ...["--schedule", "0 0 1 1 *", "--delta-snapshot-period", "1s"],
  ]);
  t.teardown(() => server.stop("SIGKILL"));
  const durable = async (): Promise<number> => {
    const revision = await machines.etcd.revision();
    await server.until(`revision ${revision} is in the store`, async () => {
      return newestRevision(store) >= revision;
    });
    return revision;
  };
  await server.logged("A stream of deltas has a base");
  await machines.etcd.ctl(["put", "later", "1"]);
  await durable();
  // Times of the log have whole milliseconds.
  await sleep(20);
  const before = new Date().toISOString();
  await sleep(20);
  await machines.etcd.ctl(["del", "key"]);
  await machines.etcd.ctl(["put", "later", "2"]);
  const mistaken = await durable();
  await server.stop();
  machines.say(/2026-11-28T09:59:00Z/g, before);
  await walk(t, machines, "A mistake an hour ago");
  await isWell(t, machines, ["m1", "m2", "m3"]);
  t.is(await machines.etcd.ctl(["get", "later", "--print-value-only"]), "1\n");
  t.true((await machines.etcd.revision()) > mistaken + 900_000);
});

/** The last revision of all deltas in a store, by the names of their files. */
function newestRevision(url: string): number {
  const folder = fileURLToPath(url);
  if (!existsSync(folder)) return 0;
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const found = names.map((name) => /DELTA\d+-\d+-(\d+)-\d+\.bin$/.exec(name)?.[1] ?? 0);
  return Math.max(0, ...found.map(Number));
}

test("every section of the page with commands is walked by a test", (t) => {
  t.deepEqual(
    [...walks.keys()],
    [
      "Before anything is lost",
      "One member is lost",
      "The majority is lost",
      "All members are lost, and another machine begins",
      "All members begin from one backup",
      "The cluster moves to other machines",
      "A mistake an hour ago",
    ],
  );
});
