import test, { type ExecutionContext } from "ava";
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

test("the cluster moves to other machines, as the page walks through it", async (t) => {
  const machines = await start(t);
  await walk(t, machines, "The cluster moves to other machines");
  await isWell(t, machines, ["m4", "m5", "m6"]);
});

test("every section of the page with commands is walked by a test", (t) => {
  t.deepEqual(
    [...walks.keys()],
    [
      "Before anything is lost",
      "One member is lost",
      "The majority is lost",
      "All members are lost, and another machine begins",
      "The cluster moves to other machines",
    ],
  );
});
