import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { compactHistory } from "../../../src/operations/history/compact.js";
import { verifyHistory } from "../../../src/operations/history/delta-verify.js";
import { compactOptions } from "../../support/history/compact-options.js";
import { newFolder } from "../../support/folders.js";
import { RecordedEtcd } from "../../support/history/recorded-etcd.js";
import { backuptool } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

/** What a verification says of the raw snapshots that it compares. */
async function compared({ location, context }: RecordedEtcd) {
  const found: string[] = [];
  const ranges: string[] = [];
  const [primary] = location.stores;
  const result = await verifyHistory(
    { primary, prove: true, spoolDir: newFolder() },
    {
      ...context,
      report: (event) => {
        if (event.type === "delta-range")
          ranges.push(`${event.state} ${event.first}-${event.last}`);
        if (event.type !== "base-compared") return;
        const { base, outcome, first, last } = event;
        found.push(`${base} ${outcome} ${first}-${last}`);
      },
    },
  );
  return { result, found, ranges };
}

test("right deltas stay proven after a restore of etcd to the past", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const older = new RecordedEtcd(etcd, "older");
  t.teardown(() => older.close());
  const saved = join(newFolder(), "saved.db");
  await etcd.ctl("put", "a", "0");
  await older.base();
  for (let i = 1; i <= 6; i++) {
    await etcd.ctl("put", "a", `${i}`);
    if (i % 2 === 0) await older.flush({ compactRevision: 0 });
    if (i === 3) await etcd.ctl("snapshot", "save", saved);
  }
  // Names have seconds.
  await sleep(1100);
  const full = await older.base();
  const right = { lost: 0, damaged: 0, different: 0 };
  const proven = [`${full} proven 3-8`];
  t.like(await compared(older), { result: right, found: proven });

  await etcd.restoreFrom(saved);
  await sleep(1100);
  const newer = new RecordedEtcd(etcd, "newer", older.folder);
  t.teardown(() => newer.close());
  await newer.flush({ compactRevision: 0 });
  const restored = await newer.base();
  for (let i = 1; i <= 6; i++) {
    await etcd.ctl("put", "b", `${i}`);
    if (i % 2 === 0) await newer.flush({ compactRevision: 0 });
  }
  const { result, found } = await compared(newer);
  t.deepEqual(result, right);
  t.deepEqual(found, [...proven, `${restored} proven 3-5`]);
});

test("a merged raw snapshot proves the deltas in it by a later one of etcd alone", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const recorded = new RecordedEtcd(etcd, "merged");
  t.teardown(() => recorded.close());
  const putSome = async () => {
    for (let i = 0; i < 3; i++) await etcd.ctl("put", "a", `${i}`);
    await recorded.flush({ compactRevision: 0 });
  };
  await etcd.ctl("put", "a", "0");
  await recorded.base();
  await putSome();
  await compactHistory(compactOptions(recorded.location, 60), recorded.context);
  const [made] = recorded.events.filter((event) => event.type === "history-compacted");
  const merged = made?.snapshot;
  t.like(await compared(recorded), { found: [`${merged} merged 3-5`], ranges: ["present 2-5"] });

  await putSome();
  // Names have seconds.
  await sleep(1100);
  const full = await recorded.base();
  const { found, ranges } = await compared(recorded);
  t.deepEqual(found.sort(), [`${merged} merged 3-5`, `${full} proven 6-8`].sort());
  t.deepEqual(ranges, ["present 2-2", "proven 3-8"]);
});

test("a delta that lacks a change of a revision is found, and ends with the exit code of damage", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const recorded = new RecordedEtcd(etcd, "faulty");
  t.teardown(() => recorded.close());
  await etcd.ctl("put", "a", "0");
  await recorded.base();
  const put = (key: string) => ({
    request_put: { key: Buffer.from(key), value: Buffer.from("1") },
  });
  await etcd.client.kv.txn({ success: [put("a"), put("b")] });
  await etcd.ctl("put", "c", "1");
  await recorded.flush({
    compactRevision: 0,
    written: (revision) => ({ ...revision, changes: revision.changes.slice(0, 1) }),
  });
  await sleep(1100);
  const full = await recorded.base();
  const { result, found } = await compared(recorded);
  t.deepEqual(result, { lost: 0, damaged: 0, different: 1 });
  t.deepEqual(found, [`${full} differs 3-4`]);
  const { code, stdout } = await backuptool(["delta", "verify", "--store", recorded.url]);
  t.is(code, 11);
  const lines = stdout.toString();
  t.regex(lines, new RegExp(`^DIFFERENT: ${full} .*a change of revision 3 is in no delta$`, "m"));
  t.regex(lines, /; 0 damaged, 0 revisions lost, 1 raw snapshot different$/m);
});
