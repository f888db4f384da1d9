import test from "ava";
import { BytesFile } from "../../../src/archive/backup-files.js";
import { changesDigest } from "../../../src/archive/delta/changes-digest.js";
import type { ArchivedRevision } from "../../../src/archive/delta/revision.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { HistoryLog } from "../../../src/operations/history/history-log.js";
import { planRevision } from "../../../src/operations/history/plan/plan-history.js";
import { logStreams } from "../../../src/snapshots/streams/log-stream.js";
import { parseStreamName } from "../../../src/snapshots/streams/stream-name.js";
import { runsOf } from "../../../src/snapshots/streams/stored-stream.js";
import { EtcdDatabase } from "../../../src/sources/etcd/file/database.js";
import { CLUSTER_ID, revision } from "../../support/archive/deltas.js";
import { samplePassphrase } from "../../support/archive/sample.js";
import { emptyDatabase } from "../../support/etcd-files/synthetic-database.js";
import { MemoryStore } from "../../support/stores/memory-store.js";
import { putStream, sites } from "../../support/stores/stored-log.js";

const { signal } = new AbortController();

const older = (number: number): ArchivedRevision => revision(number);
/** After a restore of etcd to revision 319. */
const newer = (number: number): ArchivedRevision =>
  revision(number, { what: number >= 320 ? "other" : "" });

test("after a restore of etcd, the log is the stream that repeats revisions, though the one before goes on", async (t) => {
  const pool = new SealPool(1);
  t.teardown(() => pool.close());
  const store = new MemoryStore();
  const before = changesDigest(newer(319).changes);
  const old = await putStream(pool, [store], older, {
    ...{ first: 251, lengths: [49, 40, 661], time: 1000 },
  });
  await putStream(pool, [store], newer, { first: 320, lengths: [50, 31], time: 2000, before });
  const from = await sites(store);
  const streams = logStreams(from).map(({ name, deltas }) => {
    return { name, deltas, runs: runsOf(deltas, name.firstRevision).runs };
  });
  // The raw snapshot of the newer stream is lost.
  const file = new BytesFile(emptyDatabase(4096));
  const base = {
    ...{ name: old.name, revision: 250, begunMs: 1_000_000, takenMs: 1_000_000, id: "" },
    ...{
      files: { where: "", open: async () => file, list: async () => [] },
      stream: parseStreamName(old.name),
    },
  };
  const [plan] = planRevision([base], streams, 400);
  t.deepEqual(
    plan?.log.map(({ first, last }) => [first, last]),
    [
      [251, 319],
      [320, 400],
    ],
  );
  if (plan === undefined) return;
  const database = await EtcdDatabase.open(file, "test");
  const facts = await database.facts(signal);
  const log = new HistoryLog({ sites: from }, samplePassphrase(), pool);
  const opened = { database, facts, clusterId: CLUSTER_ID, close: async () => {} };
  const read: ArchivedRevision[] = [];
  for await (const batch of log.after(opened, plan, signal)) read.push(...batch);
  t.deepEqual(
    read,
    Array.from({ length: 150 }, (_, i) => newer(251 + i)),
  );
});
