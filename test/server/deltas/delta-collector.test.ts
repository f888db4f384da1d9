import { setImmediate as turn } from "node:timers/promises";
import test from "ava";
import fc from "fast-check";
import { InterruptedError } from "../../../src/errors.js";
import { DeltaCollector } from "../../../src/server/deltas/delta-collector.js";
import type { EtcdRevision } from "../../../src/sources/etcd/history.js";
import { ManualClock } from "../../support/server/manual-clock.js";

function revisionOf(revision: number, bytes = 100): EtcdRevision {
  const kv = Buffer.alloc(bytes, revision);
  return { revision, seenMs: 0, changes: [{ deleted: false, kv }], leases: [] };
}

function revisions(first: number, last: number, bytes?: number): EtcdRevision[] {
  return Array.from({ length: last - first + 1 }, (_, i) => revisionOf(first + i, bytes));
}

function numbersOf(deltas: readonly (readonly EtcdRevision[])[]): number[][] {
  return deltas.map((delta) => delta.map(({ revision }) => revision));
}

test("revisions become a delta a period after the first of them, and not without changes", async (t) => {
  const clock = new ManualClock();
  const deltas: (readonly EtcdRevision[])[] = [];
  const collector = new DeltaCollector(10, {
    limits: () => ({ periodMs: 10_000, bytes: 1e6 }),
    write: async (delta) => void deltas.push(delta),
    clock,
  });
  const stop = new AbortController();
  const running = collector.run(stop.signal);
  await clock.advance(60_000);
  t.deepEqual(deltas, []);
  await collector.revisions(revisions(11, 12));
  await clock.advance(6_000);
  await collector.revisions(revisions(13, 13));
  await clock.advance(3_999);
  t.deepEqual(deltas, []);
  await clock.advance(1);
  t.deepEqual(numbersOf(deltas), [[11, 12, 13]]);
  await collector.revisions(revisions(14, 14));
  await clock.advance(9_999);
  t.is(deltas.length, 1);
  await clock.advance(1);
  t.deepEqual(numbersOf(deltas).slice(1), [[14]]);
  stop.abort();
  await t.throwsAsync(running, { instanceOf: InterruptedError });
});

test("deltas have all revisions once, in order, whatever comes and however slow a write is", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 100, max: 1_000 }),
      fc.infiniteStream(fc.integer({ min: 0, max: 3 })),
      async (batches, bytes, delays) => {
        const deltas: (readonly EtcdRevision[])[] = [];
        let writing = 0;
        const collector = new DeltaCollector(0, {
          limits: () => ({ periodMs: 1, bytes }),
          write: async (delta) => {
            t.is(++writing, 1, "one at a time");
            for (let left = delays.next().value ?? 0; left > 0; left--) await turn();
            deltas.push(delta);
            writing--;
          },
        });
        const stop = new AbortController();
        const running = collector.run(stop.signal).catch(() => {});
        let last = 0;
        for (const count of batches) {
          await collector.revisions(revisions(last + 1, last + count));
          last += count;
        }
        await collector.flush();
        stop.abort();
        await running;
        t.deepEqual(
          numbersOf(deltas).flat(),
          Array.from({ length: last }, (_, i) => i + 1),
        );
        // A delta is as large as allowed, or one revision.
        for (const delta of deltas) t.true(delta.length === 1 || delta.length * 100 <= bytes);
      },
    ),
    { numRuns: 50 },
  );
});

test("while a delta cannot be written, the watch waits once as much again has come", async (t) => {
  let release = (): void => {};
  const blocked = new Promise<void>((resolve) => {
    release = resolve;
  });
  const deltas: (readonly EtcdRevision[])[] = [];
  const collector = new DeltaCollector(0, {
    limits: () => ({ periodMs: 1e9, bytes: 1_000 }),
    write: async (delta) => {
      await blocked;
      deltas.push(delta);
    },
  });
  const first = collector.flush();
  await collector.revisions(revisions(1, 5));
  void collector.flush();
  await turn();
  await collector.revisions(revisions(6, 10));
  t.false(collector.isPaused);
  let taken = false;
  const waiting = collector.revisions(revisions(11, 14)).then(() => {
    taken = true;
  });
  await turn();
  t.true(collector.isPaused);
  t.false(taken);
  release();
  await Promise.all([first, waiting]);
  t.false(collector.isPaused);
  t.deepEqual(numbersOf(deltas).flat(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
});

test("a revision that is not the next one ends the log there", async (t) => {
  for (const wrong of [10, 12, 5]) {
    const deltas: (readonly EtcdRevision[])[] = [];
    const collector = new DeltaCollector(9, {
      limits: () => ({ periodMs: 1e9, bytes: 1e6 }),
      write: async (delta) => void deltas.push(delta),
    });
    const running = collector.run(new AbortController().signal);
    await collector.revisions(revisions(10, 10));
    await t.throwsAsync(collector.revisions([revisionOf(wrong)]), { code: "ETCD_GAP" });
    await t.throwsAsync(running, { code: "ETCD_GAP" });
    await t.throwsAsync(collector.revisions(revisions(11, 11)), { code: "ETCD_GAP" });
  }
});

test("a failed write is the end: nothing is written after it, and all callers learn of it", async (t) => {
  let writes = 0;
  const collector = new DeltaCollector(0, {
    limits: () => ({ periodMs: 1e9, bytes: 500 }),
    write: async () => {
      writes++;
      throw new Error("no key");
    },
  });
  const running = collector.run(new AbortController().signal);
  await t.throwsAsync(collector.revisions(revisions(1, 20)), { message: "no key" });
  await t.throwsAsync(running, { message: "no key" });
  await t.throwsAsync(collector.flush(), { message: "no key" });
  await t.throwsAsync(collector.revisions(revisions(21, 21)), { message: "no key" });
  t.is(writes, 1);
});
