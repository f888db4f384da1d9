import test from "ava";
import { changesDigest } from "../../../../src/archive/delta/changes-digest.js";
import { WatchEnded } from "../../../../src/sources/etcd/watch/watch-ended.js";
import { SeededChoice } from "../../../support/seeded-choice.js";
import { EtcdServer } from "../../../support/servers/etcd-server.js";
import { CollectedLog } from "../../../support/watch/collected-log.js";
import {
  databaseHistory,
  type HistoryText,
  watchedHistory,
} from "../../../support/watch/database-history.js";
import { RandomWrites } from "../../../support/watch/random-writes.js";

const ROUNDS = 12;

test("random pauses, compactions, kills and new watches never give a log with a part of a revision", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const choice = new SeededChoice(t.title);
  const random = new RandomWrites([etcd.endpoint], t.title, 50_000);
  t.teardown(() => random.close());
  /** Every revision as the database had it before a compaction could take a part of it. */
  const truth: HistoryText = new Map();
  const logs: CollectedLog[] = [];
  let compacted = 1;
  const record = async (): Promise<void> => {
    for (const [revision, changes] of await databaseHistory(etcd.endpoint)) {
      truth.set(revision, changes);
    }
  };
  const start = async (after: number, from?: CollectedLog): Promise<CollectedLog> => {
    const last = from?.revisions.at(-1);
    const overlap = last && { digest: changesDigest(last.changes), digestOf: changesDigest };
    const log = await CollectedLog.start({ endpoints: [etcd.endpoint] }, { after, overlap });
    logs.push(log);
    return log;
  };
  let log = await start(1);
  for (let round = 0; round < ROUNDS; round++) {
    if (choice.below(2) === 0) {
      let open = () => {};
      const closed = new Promise<void>((resolve) => {
        open = resolve;
      });
      log.onBatch = () => closed;
      setTimeout(open, 300 + choice.below(700));
    } else {
      log.onBatch = async () => {};
    }
    if (choice.below(3) === 0) {
      await log.stop();
      await random.make(choice.below(10));
    }
    await random.make(10 + choice.below(40));
    await record();
    const current = Math.max(...truth.keys());
    // Often the very revision that a watch needs next, or the latest.
    const at = choice.of([log.watch.covered, log.watch.covered + 1, current, current - 3]);
    if (at > compacted && at <= current) {
      await etcd.ctl("compaction", `${at}`, ...(choice.below(2) === 0 ? ["--physical"] : []));
      compacted = at;
    }
    if (choice.below(4) === 0) {
      await etcd.stop();
      await etcd.start();
    }
    const ended = await log.until(current).catch((error: unknown) => error);
    if (ended === undefined) continue;
    log = await (ended instanceof WatchEnded ? start(current) : start(log.watch.covered, log));
  }
  await record();
  for (const each of logs) await each.stop();
  let compared = 0;
  for (const { revisions } of logs) {
    for (const [revision, changes] of watchedHistory(revisions)) {
      t.deepEqual(changes, truth.get(revision), `${revision}`);
      compared++;
    }
    t.true(revisions.every(({ revision }, i) => revision === (revisions[0]?.revision ?? 0) + i));
  }
  t.true(compared > 100);
});
