import { execFileSync } from "node:child_process";
import { join } from "node:path";
import test from "ava";
import type { OperationEvent } from "../../../src/operations/events.js";
import { backuptool, lines } from "../../support/program/backuptool.js";
import { createHere } from "../../support/program/create-here.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";

const KEYS = 6_000;

/** Events come between pages and are handled at once, so etcd can be changed exactly there. */
function ctlNow(etcd: EtcdServer, ...args: string[]): string {
  const flags = [`--endpoints=${etcd.endpoint}`, ...args];
  return execFileSync("etcdctl", flags, { env: { ...process.env, ETCDCTL_API: "3" } }).toString();
}

function revision(etcd: EtcdServer): number {
  return JSON.parse(ctlNow(etcd, "get", "none", "-w", "json")).header.revision;
}

/** Makes a backup while etcd compacts away, `times` times, what is being read. */
async function createDuring(
  etcd: EtcdServer,
  outputDir: string,
  incrementalOver: string | undefined,
  times: number,
): Promise<OperationEvent[]> {
  const events: OperationEvent[] = [];
  let left = times;
  const report = (event: OperationEvent): void => {
    events.push(event);
    if (event.type !== "progress" || left === 0) return;
    left--;
    ctlNow(etcd, "put", "key-000001", `changed while it was read, ${left} ${outputDir}`);
    ctlNow(etcd, "put", `added-${left}`, outputDir);
    ctlNow(etcd, "del", `key-00000${2 + left}`);
    ctlNow(etcd, "compact", `${revision(etcd)}`);
  };
  await createHere(
    {
      outputDir,
      etcd: { endpoints: [etcd.endpoint] },
      ...(incrementalOver === undefined
        ? {}
        : { incrementalOver: { kind: "folder", folder: incrementalOver } as const }),
    },
    report,
  );
  return events;
}

const warnings = (events: readonly OperationEvent[]): number =>
  events.filter(({ type }) => type === "warning").length;

test("after a compaction etcd is read again, in a full backup and an incremental", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  await etcd.putMany(
    Array.from({ length: KEYS }, (_, i) => [`key-${`${i}`.padStart(6, "0")}`, "v".repeat(1000)]),
  );
  const [full, incremental] = [join(newFolder(), "full"), join(newFolder(), "incremental")];

  const first = await createDuring(etcd, full, undefined, 2);
  t.is(warnings(first), 2);
  const then = await etcd.pairs();
  t.deepEqual(first.at(-1), { type: "etcd-done", included: then.length, deleted: 0 });

  // Progress is reported after the first page, which must have something to archive.
  await etcd.ctl("put", "added-0", "changed");
  const second = await createDuring(etcd, incremental, full, 1);
  t.is(warnings(second), 1);
  const now = await etcd.pairs();
  // Besides added-0 only key-000001: key-000002 was gone already.
  t.deepEqual(second.at(-1), { type: "etcd-done", included: 2, deleted: 0 });

  const check = async (args: string[], expected: [string, string][]): Promise<void> => {
    await etcd.ctl("del", "", "--prefix");
    const target = ["--skip-ceph", "--etcd", etcd.endpoint];
    const { code, stdout, stderr } = await backuptool(["restore", ...args, ...target]);
    t.is(code, 0, stderr);
    t.regex(lines(stdout).at(-1) ?? "", /restored {2}\d+ etcd records$/);
    t.deepEqual(await etcd.pairs(), expected);
  };
  await check(["--outputdir", full], then);
  await check(["--outputdir", incremental, "--with-base", full], now);
  for (const outputdir of [full, incremental]) {
    const inspected = await backuptool(["inspect", "--outputdir", outputdir]);
    t.is(inspected.code, 0, inspected.stderr);
  }
});

test("deletions that were written before a compaction are counted", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const key = (i: number) => `key-${`${i}`.padStart(6, "0")}`;
  await etcd.putMany(Array.from({ length: 9000 }, (_, i) => [key(i), "v".repeat(1000)]));
  const target = ["--skip-ceph", "--etcd", etcd.endpoint];
  const [full, incremental] = [join(newFolder(), "full"), join(newFolder(), "incremental")];
  t.is((await backuptool(["create", "--outputdir", full, ...target])).code, 0);
  // More than one entry of the archive takes; the first page comes after them.
  await etcd.ctl("del", key(0), key(5000));
  const events = await createDuring(etcd, incremental, full, 1);
  t.is(warnings(events), 1);
  const inspected = await backuptool(["inspect", "--outputdir", incremental]);
  t.is(inspected.code, 0, inspected.stderr);
  const now = await etcd.pairs();
  await etcd.ctl("del", "", "--prefix");
  const restore = ["restore", "--outputdir", incremental, "--with-base", full];
  const restored = await backuptool([...restore, ...target]);
  t.is(restored.code, 0, restored.stderr);
  t.deepEqual(await etcd.pairs(), now);
});
