import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { BackupToolError } from "../../../src/errors.js";
import type { HistoryTarget } from "../../../src/operations/history/history-target.js";
import { writeEtcdSnapshot } from "../../../src/operations/history/write-snapshot.js";
import { newFolder } from "../../support/folders.js";
import { RecordedEtcd } from "../../support/history/recorded-etcd.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

/** Two clusters after one another in one store: the second one repeats the revisions of the first. */
test("revisions that were made twice are those of the newest etcd, and a time finds the older ones", async (t) => {
  const folder = newFolder();
  const run = async (key: string) => {
    const etcd = await EtcdServer.start();
    const recorded = new RecordedEtcd(etcd, key, folder);
    try {
      await etcd.ctl("put", key, "0");
      await recorded.base();
      for (let i = 1; i <= 6; i++) {
        await etcd.ctl("put", key, `${i}`);
        if (i % 2 === 0) await recorded.flush({ compactRevision: 0 });
      }
    } finally {
      await recorded.close();
      await etcd.stop();
    }
    return recorded;
  };
  const older = await run("older");
  // Names have seconds.
  await sleep(1100);
  const newer = await run("newer");

  const judge = await EtcdServer.start();
  t.teardown(() => judge.stop());
  const restored = async (target: HistoryTarget) => {
    const work = newFolder();
    const out = join(work, "etcd.db");
    const { location, context } = newer;
    const options = { location, target, out, unknownLeaseTtlSeconds: 60 };
    await writeEtcdSnapshot(options, context);
    await judge.restoreFrom(out);
    const pairs = await judge.pairs();
    return pairs.map((pair) => pair.map((text) => Buffer.from(text, "base64").toString()));
  };

  t.deepEqual(await restored({ kind: "newest" }), [["newer", "6"]]);
  t.deepEqual(await restored({ kind: "revision", revision: 5 }), [["newer", "3"]]);
  const timeMs = older.seenMs.get(5) ?? 0;
  t.deepEqual(await restored({ kind: "time", timeMs }), [["older", "3"]]);
  t.deepEqual(await restored({ kind: "time", timeMs: newer.seenMs.get(4) ?? 0 }), [["newer", "2"]]);
});

for (const writes of [0, 1]) {
  test(`an etcd that was restored to its past comes back as its raw snapshot has it, ${writes} writes later and without deltas`, async (t) => {
    const [etcd, judge] = await Promise.all([EtcdServer.start(), EtcdServer.start()]);
    t.teardown(() => Promise.all([etcd.stop(), judge.stop()]));
    const older = new RecordedEtcd(etcd, "older");
    t.teardown(() => older.close());
    await etcd.ctl("put", "a", "0");
    await older.base();
    const saved = join(newFolder(), "saved.db");
    for (let i = 1; i <= 6; i++) {
      await etcd.ctl("put", "a", `${i}`);
      if (i === 3) await etcd.ctl("snapshot", "save", saved);
    }
    await older.flush({ compactRevision: 0 });
    await etcd.restoreFrom(saved);
    // Names have seconds.
    await sleep(1100);
    const newer = new RecordedEtcd(etcd, "newer", older.folder);
    t.teardown(() => newer.close());
    for (let i = 0; i < writes; i++) await etcd.ctl("put", "b", `${i}`);
    const name = await newer.base();
    const { location, context, events } = newer;
    const restored = async (target: HistoryTarget) => {
      const out = join(newFolder(), "etcd.db");
      await writeEtcdSnapshot({ location, target, out, unknownLeaseTtlSeconds: 60 }, context);
      await judge.restoreFrom(out);
      return await judge.pairs();
    };
    const now = await etcd.pairs();
    t.deepEqual(await restored({ kind: "newest" }), now);
    t.true(
      events.some((one) => one.type === "warning" && /restored to its past/.test(one.message)),
    );
    t.deepEqual(await restored({ kind: "time", timeMs: Date.now() }), now);
    const undone = (await restored({ kind: "time", timeMs: older.seenMs.get(8) ?? 0 }))[0]?.[1];
    t.is(Buffer.from(undone ?? "", "base64").toString(), "6");

    // It cannot be read: the state from before the restore is not taken in its place.
    const file = join(older.folder, name, "METADATA.bin");
    const bytes = readFileSync(file);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(file, writes === 0 ? "" : bytes);
    await t.throwsAsync(restored({ kind: "newest" }), { instanceOf: BackupToolError });
    await t.throwsAsync(restored({ kind: "time", timeMs: Date.now() }), {
      instanceOf: BackupToolError,
    });
  });
}
