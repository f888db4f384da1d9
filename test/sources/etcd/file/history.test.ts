import { randomInt } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { compareDatabases } from "../../../../src/sources/etcd/file/compare-databases.js";
import { EtcdDatabase } from "../../../../src/sources/etcd/file/database.js";
import { fileAccess } from "../../../../src/sources/etcd/file/random-access.js";
import { recordsAt } from "../../../../src/sources/etcd/file/records-at.js";
import { writeDatabase } from "../../../../src/sources/etcd/file/write/write-database.js";
import type { EtcdRevision } from "../../../../src/sources/etcd/history.js";
import type { EtcdRecord } from "../../../../src/sources/etcd/types.js";
import { newFolder } from "../../../support/folders.js";
import { SeededChoice } from "../../../support/seeded-choice.js";
import { EtcdServer } from "../../../support/servers/etcd-server.js";
import { openDatabase } from "../../../support/servers/judged-database.js";
import { linesOf, type LiveState, RandomHistory } from "../../../support/servers/random-history.js";

const { signal } = new AbortController();

/** The databases of a random history at some moments, what etcd answered then, and the log. */
interface Past {
  readonly seed: string;
  readonly bases: readonly EtcdDatabase[];
  readonly revisions: readonly number[];
  readonly states: readonly LiveState[];
  readonly log: readonly EtcdRevision[];
  readonly granted: ReadonlyMap<bigint, number>;
}

let past: Past;
const handles: FileHandle[] = [];

test.before("make a history", async () => {
  past = await makePast();
});

test.after.always("close its databases", async () => {
  await Promise.all(handles.map((handle) => handle.close()));
});

test("the records of any revision are those that etcd answered", async (t) => {
  t.log(`seed ${past.seed}`);
  for (const state of past.states) {
    for (const [i, base] of past.bases.entries()) {
      if ((await base.facts(signal)).compactRevision > state.revision) continue;
      const log = past.log.filter(({ revision }) => revision > (past.revisions[i] ?? 0));
      const found = await recordsAt(base, () => each(log), state.revision, signal);
      const records: EtcdRecord[] = [];
      for await (const batch of found.batches()) records.push(...batch);
      t.is(found.records, records.length);
      t.deepEqual(linesOf(records), linesOf(state.records));
      // A lease that ended before the base was made is named nowhere.
      for (const [id, ttl] of found.leases) t.true(past.granted.get(id) === ttl);
      const isLater = state.revision >= (past.revisions[i] ?? 0);
      if (isLater) t.true(records.every(({ lease }) => lease === 0n || found.leases.has(lease)));
    }
  }
});

test("the records of a compacted revision, or of one that the log does not reach, are an error", async (t) => {
  for (const base of past.bases) {
    const { revision, compactRevision } = await base.facts(signal);
    const at = (target: number) => recordsAt(base, () => each([]), target, signal);
    await t.throwsAsync(at(compactRevision - 1), { code: "ETCD_FILE_REVISION" });
    await t.throwsAsync(at(revision + 1), { code: "ETCD_FILE_REVISION" });
  }
});

test("each database is what the ones before it and the log make", async (t) => {
  t.log(`seed ${past.seed}`);
  for (const [i, older] of past.bases.entries()) {
    for (const newer of past.bases.slice(i)) {
      const { comparedEntries, ...rest } = await compareDatabases(
        older,
        each(past.log),
        newer,
        signal,
      );
      t.deepEqual(rest, { proven: true, firstDifference: undefined });
      t.is(comparedEntries, (await positionsOf(newer)).size);
    }
  }
});

test("a change that the log lacks, has beside, or has otherwise is found", async (t) => {
  t.log(`seed ${past.seed}`);
  const choice = new SeededChoice(past.seed);
  const [older, newer] = [past.bases.at(-3), past.bases.at(-2)];
  if (older === undefined || newer === undefined) throw new Error("no bases");
  const [from, to] = [past.revisions.at(-3) ?? 0, past.revisions.at(-2) ?? 0];
  const kept = await positionsOf(newer);
  const seen = past.log.filter(
    ({ revision, changes }) =>
      revision > from &&
      revision <= to &&
      changes.every((_, sub) => kept.has(`${revision}.${sub}`)),
  );
  const compare = (revision: EtcdRevision) =>
    compareDatabases(older, each(replaced(past.log, revision)), newer, signal);
  const many = seen.filter(({ changes }) => changes.length > 1);
  const { compactRevision } = await newer.facts(signal);
  for (let i = 0; i < 10; i++) {
    const whole = choice.of(many);
    const gone = choice.below(whole.changes.length);
    t.false((await compare({ ...whole, changes: whole.changes.toSpliced(gone, 1) })).proven);

    const other = choice.of(seen);
    const at = choice.below(other.changes.length);
    const changed = other.changes.map((change, sub) => (sub === at ? altered(change) : change));
    const { firstDifference } = await compare({ ...other, changes: changed });
    t.deepEqual(firstDifference, { revision: other.revision, kind: "different" });

    const last = other.changes.at(-1);
    if (last === undefined || other.revision <= compactRevision) continue;
    const more = await compare({ ...other, changes: [...other.changes, last] });
    t.deepEqual(more.firstDifference, { revision: other.revision, kind: "missing" });
  }
});

test("a change that a compacted database lacks is found, unless a compaction removes it", async (t) => {
  const server = await EtcdServer.start();
  t.teardown(() => server.stop());
  const history = new RandomHistory(server, new SeededChoice("compacted"));
  t.teardown(() => history.close());
  const older = await snapshotOf(server);
  const put = (key: string) => ({
    request_put: { key: Buffer.from(key), value: Buffer.from(key) },
  });
  const remove = (key: string) => ({ request_delete_range: { key: Buffer.from(key) } });
  // Revisions 2 to 5.
  await server.client.kv.txn({ success: [put("a"), put("b")] });
  await server.client.kv.txn({ success: [put("c"), put("a")] });
  await server.client.kv.txn({ success: [put("d"), remove("b")] });
  await server.client.kv.txn({ success: [put("e"), put("f")] });
  const log = await history.revisions(1, 5);
  const without = async (revision: number, sub: number) => {
    const whole = log[revision - 2];
    if (whole === undefined) throw new Error(`no revision ${revision}`);
    const less = replaced(log, { ...whole, changes: whole.changes.toSpliced(sub, 1) });
    const out = join(newFolder(), "less.db");
    const options = { revision: 5, compactRevision: 4, unknownLeaseTtlSeconds: 60, signal };
    await writeDatabase(older, each(less), out, options);
    return (await compareDatabases(older, each(log), await openDatabase(t, out), signal))
      .firstDifference;
  };
  // The last change of a, and the deletion of b.
  t.deepEqual(await without(3, 1), { revision: 3, kind: "missing" });
  t.deepEqual(await without(4, 1), { revision: 4, kind: "missing" });
  t.deepEqual(await without(5, 1), { revision: 5, kind: "missing" });
  // The change of b that came before its deletion.
  t.is(await without(2, 1), undefined);
});

async function makePast(): Promise<Past> {
  const seed = process.env["BACKUPTOOL_TEST_SEED"] ?? `${randomInt(2 ** 32)}`;
  const server = await EtcdServer.start();
  const history = new RandomHistory(server, new SeededChoice(seed));
  try {
    const bases: EtcdDatabase[] = [];
    const revisions: number[] = [];
    for (let round = 0; round < 4; round++) {
      await history.run(50);
      await history.observe();
      await history.run(30);
      const base = await snapshotOf(server);
      bases.push(base);
      revisions.push((await base.facts(signal)).revision);
    }
    const log = await history.revisions(1, revisions.at(-1) ?? 1);
    return { seed, bases, revisions, states: history.states, log, granted: history.granted };
  } finally {
    history.close();
    await server.stop();
  }
}

async function snapshotOf(server: EtcdServer): Promise<EtcdDatabase> {
  const path = join(newFolder(), "snapshot.db");
  await server.ctl("snapshot", "save", path);
  const handle = await open(path);
  handles.push(handle);
  return EtcdDatabase.open(await fileAccess(handle), path);
}

async function positionsOf(database: EtcdDatabase): Promise<Set<string>> {
  const positions = new Set<string>();
  for await (const batch of database.entries(signal)) {
    for (const { main, sub } of batch) positions.add(`${main}.${sub}`);
  }
  return positions;
}

function replaced(log: readonly EtcdRevision[], by: EtcdRevision): EtcdRevision[] {
  return log.map((revision) => (revision.revision === by.revision ? by : revision));
}

/** The same change of a key with another first letter. */
function altered<T extends { readonly kv: Uint8Array }>(change: T): T {
  const kv = Buffer.from(change.kv);
  const first = kv[1] !== undefined && kv[1] >= 0x80 ? 3 : 2;
  kv[first] = (kv[first] ?? 0) ^ 1;
  return { ...change, kv };
}

async function* each(log: readonly EtcdRevision[]): AsyncGenerator<readonly EtcdRevision[]> {
  yield log;
}
