import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
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
