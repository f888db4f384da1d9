import test from "ava";
import fc from "fast-check";
import { compareDatabases } from "../../../../src/sources/etcd/file/compare-databases.js";
import { EtcdDatabase } from "../../../../src/sources/etcd/file/database.js";
import type { EtcdRevision } from "../../../../src/sources/etcd/history.js";
import { inMemory } from "../../../support/etcd-files/read-everything.js";
import {
  databaseOfChanges,
  revisionOf,
  type SyntheticChange,
} from "../../../support/etcd-files/synthetic-database.js";

const { signal } = new AbortController();

/** The file of one member, which has its own progress with the compactions that all have. */
interface MemberFile {
  readonly revision: number;
  /** The last compaction that was begun. */
  readonly compact: number;
  readonly finished: number;
  readonly changes: readonly SyntheticChange[];
}

interface Compared {
  readonly history: readonly SyntheticChange[];
  readonly older: MemberFile;
  readonly newer: MemberFile;
}

/** What etcd removes when it compacts: changes that were replaced by then, and deletions. */
function removedAt(
  history: readonly SyntheticChange[],
  compact: number,
): (change: SyntheticChange) => boolean {
  const last = new Map(history.filter(({ main }) => main <= compact).map((one) => [one.key, one]));
  return (change) => change.main <= compact && (change.deleted || last.get(change.key) !== change);
}

/**
 * @param done up to where the last compaction has come, which removes the lowest revisions first; 0: the one before it is at
 * `doneBefore`
 */
function memberFile(
  history: readonly SyntheticChange[],
  revision: number,
  compactions: readonly [before: number, last: number],
  [doneBefore, done]: readonly [number, number],
): MemberFile {
  const [before, compact] = compactions;
  const [byFirst, bySecond] = [removedAt(history, before), removedAt(history, compact)];
  const progress = done > 0 ? before : doneBefore;
  return {
    revision,
    compact,
    finished: done === compact ? compact : progress === before ? before : 0,
    changes: history.filter(
      (one) =>
        one.main <= revision &&
        !(one.main <= progress && byFirst(one)) &&
        !(one.main <= done && bySecond(one)),
    ),
  };
}

const step = fc.array(
  fc.record({ key: fc.constantFrom("a", "b", "c", "d"), deletes: fc.boolean() }),
  { minLength: 1, maxLength: 3 },
);

const compared = fc
  .record({
    steps: fc.array(step, { minLength: 2, maxLength: 14 }),
    revisions: fc.tuple(fc.nat(14), fc.nat(14)),
    compactions: fc.tuple(fc.nat(14), fc.nat(14), fc.nat(14)),
    isSame: fc.boolean(),
    progress: fc.array(fc.nat(14), { minLength: 4, maxLength: 4 }),
  })
  .map(({ steps, revisions, compactions, isSame, progress }): Compared => {
    const live = new Set<string>();
    const history = steps.flatMap((ops, i) =>
      ops.map(({ key, deletes }, sub): SyntheticChange => {
        const deleted = deletes && live.delete(key);
        if (!deleted) live.add(key);
        return { main: i + 2, sub, key, deleted };
      }),
    );
    const most = steps.length + 1;
    const from = 1 + (revisions[0] % most);
    const to = from + (revisions[1] % (most - from + 1));
    const [early, first, later] = compactions;
    const atOlder = from - (first % from);
    const before = early % (atOlder + 1);
    const atNewer = isSame ? atOlder : atOlder + (later % (to - atOlder + 1));
    const [p0 = 0, p1 = 0, p2 = 0, p3 = 0] = progress;
    const done = (of: number, by: number) => by % (of + 1);
    return {
      history,
      older: memberFile(history, from, [before, atOlder], [done(before, p0), done(atOlder, p1)]),
      newer: isSame
        ? memberFile(history, to, [before, atNewer], [done(before, p2), done(atNewer, p3)])
        : memberFile(history, to, [atOlder, atNewer], [done(atOlder, p2), done(atNewer, p3)]),
    };
  });

async function open({ changes, finished, compact }: MemberFile): Promise<EtcdDatabase> {
  const bytes = databaseOfChanges(changes, { finished, scheduled: compact });
  return await EtcdDatabase.open(inMemory(bytes), "file");
}

async function compare({ history, older, newer }: Compared) {
  const mains = new Set(history.map(({ main }) => main));
  const log = [...mains].map((main) => revisionOf(history.filter((one) => one.main === main)));
  return await compareDatabases(await open(older), each(log), await open(newer), signal);
}

async function* each(log: readonly EtcdRevision[]): AsyncGenerator<readonly EtcdRevision[]> {
  yield log;
}

test("members that compact at their own pace have the same history", async (t) => {
  let ahead = 0;
  await fc.assert(
    fc.asyncProperty(compared, async (one) => {
      const { proven, firstDifference } = await compare(one);
      t.is(firstDifference, undefined);
      t.true(proven);
      const known = new Set(one.older.changes);
      const isAhead = one.newer.changes.some(
        (change) => change.main <= one.older.revision && !known.has(change),
      );
      if (isAhead) ahead++;
    }),
    { numRuns: 400 },
  );
  // The older file lacks what the newer one has.
  t.true(ahead > 5);
});

test("a change that a compaction must leave is missed", async (t) => {
  let missed = 0;
  await fc.assert(
    fc.asyncProperty(compared, fc.nat(), async ({ history, older, newer }, which) => {
      const isRemoved = removedAt(history, newer.compact);
      const kept = newer.changes.filter((one) => one.main < newer.revision && !isRemoved(one));
      const gone = kept[which % kept.length];
      if (gone === undefined) return;
      missed++;
      const changes = newer.changes.filter((one) => one !== gone);
      const { firstDifference } = await compare({ history, older, newer: { ...newer, changes } });
      t.deepEqual(firstDifference, { revision: gone.main, kind: "missing" });
    }),
    { numRuns: 200 },
  );
  t.true(missed > 40);
});

test("a change that etcd never made is found, also where compactions differ", async (t) => {
  await fc.assert(
    fc.asyncProperty(compared, fc.nat(), async ({ history, older, newer }, which) => {
      const main = 2 + (which % Math.max(1, newer.revision - 1));
      if (main > newer.revision) return;
      const made = { main, sub: 9, key: "never", deleted: false };
      const { firstDifference } = await compare({
        history,
        older,
        newer: { ...newer, changes: withChange(newer.changes, made) },
      });
      t.deepEqual(firstDifference, { revision: main, kind: "unexpected" });
    }),
    { numRuns: 200 },
  );
});

test("a deletion of a key that lives is found, also where compactions differ", async (t) => {
  let found = 0;
  await fc.assert(
    fc.asyncProperty(compared, fc.nat(), async ({ history, older, newer }, which) => {
      const { compact: main } = older;
      const isRemoved = removedAt(history, main);
      const alive = older.changes.filter((one) => one.main <= main && !isRemoved(one));
      const of = alive[which % alive.length];
      if (of === undefined) return;
      found++;
      const made = { main, sub: 9, key: of.key, deleted: true };
      const { firstDifference } = await compare({
        history,
        older,
        newer: { ...newer, changes: withChange(newer.changes, made) },
      });
      t.deepEqual(firstDifference, { revision: main, kind: "unexpected" });
    }),
    { numRuns: 200 },
  );
  t.true(found > 20);
});

function withChange(changes: readonly SyntheticChange[], one: SyntheticChange): SyntheticChange[] {
  return [...changes, one].sort((a, b) => a.main - b.main || a.sub - b.sub);
}
