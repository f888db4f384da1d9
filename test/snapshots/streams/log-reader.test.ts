import { randomBytes } from "node:crypto";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { changesDigest } from "../../../src/archive/delta/changes-digest.js";
import type { ArchivedRevision } from "../../../src/archive/delta/revision.js";
import { ArchiveError } from "../../../src/archive/errors.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { LogError } from "../../../src/snapshots/streams/log-errors.js";
import { type LogOptions, readLog } from "../../../src/snapshots/streams/log-reader.js";
import type { LogSite } from "../../../src/snapshots/streams/log-stream.js";
import { revision } from "../../support/archive/deltas.js";
import { samplePassphrase } from "../../support/archive/sample.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { MemoryStore } from "../../support/stores/memory-store.js";
import { keyOf, putStream, sites } from "../../support/stores/stored-log.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const pool = new SealPool(1);
test.after.always(() => pool.close());
const passphrase = samplePassphrase();
const { signal } = new AbortController();

type Options = Pick<LogOptions, "after" | "upTo"> & Partial<LogOptions>;

/** What was read, and the error that ended it. */
async function read(
  from: readonly LogSite[],
  options: Options,
): Promise<{ revisions: ArchivedRevision[]; error: unknown }> {
  const revisions: ArchivedRevision[] = [];
  try {
    for await (const batch of readLog(from, { passphrase, pool, signal, ...options })) {
      revisions.push(...batch);
    }
    return { revisions, error: undefined };
  } catch (error) {
    return { revisions, error };
  }
}

async function reads(
  t: ExecutionContext,
  from: readonly LogSite[],
  options: Options,
  history = plain,
): Promise<void> {
  const { revisions, error } = await read(from, options);
  t.is(error, undefined);
  const { after, upTo } = options;
  t.deepEqual(
    revisions,
    Array.from({ length: upTo - after }, (_, i) => history(after + 1 + i)),
  );
}

async function fails(
  t: ExecutionContext,
  from: readonly LogSite[],
  options: Options,
  expected: { code: string; message?: RegExp; upTo: number },
): Promise<void> {
  const { revisions, error } = await read(from, options);
  const { code, message, upTo } = expected;
  t.true(error instanceof LogError || error instanceof ArchiveError, String(error));
  if (error instanceof Error) t.like(error, { code });
  if (message !== undefined && error instanceof Error) t.regex(error.message, message);
  t.is(revisions.at(-1)?.revision ?? options.after, upTo);
}

const plain = (number: number): ArchivedRevision => revision(number);
/** Another history from revision 10 on. */
const forked = (number: number): ArchivedRevision =>
  revision(number, { what: number >= 10 ? "other" : "" });
/** Each revision puts a key and deletes another. */
const mixed = (number: number): ArchivedRevision => revision(number, { changes: 5 });
const digestOf = (number: number, history = plain): Buffer =>
  changesDigest(history(number).changes);

test("a part of a stream is read from any revision to any other", async (t) => {
  const store = new MemoryStore();
  await putStream(pool, [store], plain, { first: 5, lengths: [3, 1, 4, 2] });
  const from = await sites(store);
  for (const [after, upTo] of [
    [4, 14],
    [4, 5],
    [6, 9],
    [8, 13],
    [13, 14],
    [9, 9],
  ] as const) {
    await reads(t, from, { after, upTo });
  }
});

test("one stream goes on for another where it names the revision before it, or holds it too", async (t) => {
  for (const [first, before] of [
    [9, digestOf(8)],
    [9, digestOf(8)],
    [7, null],
    [5, digestOf(4)],
  ] as const) {
    const store = new MemoryStore();
    await putStream(pool, [store], plain, { first: 5, lengths: [2, 2], time: 1000 });
    await putStream(pool, [store], plain, { first, lengths: [3, 5], time: 2000, before });
    await reads(t, await sites(store), { after: 4, upTo: first + 7 });
  }
});

test("a part of one stream can be between parts of another, in a delta that was read before too", async (t) => {
  const store = new MemoryStore();
  const former = await putStream(pool, [store], plain, { first: 5, lengths: [2, 10], time: 1000 });
  const leader = await putStream(pool, [store], plain, {
    ...{ first: 9, lengths: [2, 3, 6], time: 2000 },
    before: digestOf(8),
  });
  const part = ({ name: stream }: typeof former, first: number, last: number) => {
    return { stream, first, last };
  };
  const parts = [
    ...[part(former, 5, 8), part(leader, 9, 10), part(former, 11, 13), part(leader, 14, 19)],
  ];
  await reads(t, await sites(store), { after: 4, upTo: 19, parts });
});

test("a stream that begins where another ends, and has not seen its last revision, does not go on for it", async (t) => {
  const store = new MemoryStore();
  await putStream(pool, [store], plain, { first: 5, lengths: [4], time: 1000 });
  const next = await putStream(pool, [store], plain, { first: 9, lengths: [3], time: 2000 });
  await fails(
    t,
    await sites(store),
    { after: 4, upTo: 11 },
    { code: "LOG_UNPROVEN", message: new RegExp(`${keyOf(next, 0)} follows.*revision 8`), upTo: 8 },
  );
});

test("a stream of another history never goes on for this one", async (t) => {
  for (const facts of [
    { first: 14, before: digestOf(13, forked) },
    { first: 12, before: null },
    { first: 12, before: digestOf(11) },
    { first: 14, before: digestOf(13), clusterId: "1" },
  ]) {
    const store = new MemoryStore();
    await putStream(pool, [store], plain, { first: 5, lengths: [4, 5], time: 1000 });
    await putStream(pool, [store], forked, { ...facts, lengths: [3, 3], time: 2000 });
    const options = { after: 4, upTo: 16 };
    await fails(t, await sites(store), options, { code: "LOG_FORK", upTo: 13 });
  }
});

test("the digest of the base chooses among histories", async (t) => {
  const store = new MemoryStore();
  await putStream(pool, [store], plain, { first: 5, lengths: [4, 12], time: 1000 });
  await putStream(pool, [store], forked, { first: 5, lengths: [8, 8], time: 2000 });
  const from = await sites(store);
  for (const history of [plain, forked]) {
    for (const after of [10, 12, 15]) {
      const anchor = { digest: digestOf(after, history) };
      await reads(t, from, { after, upTo: 20, anchor }, history);
    }
  }
  const anchor = { digest: Buffer.alloc(16) };
  await fails(t, from, { after: 12, upTo: 20, anchor }, { code: "LOG_FORK", upTo: 12 });
});

test("the log after a stream's own base is that of the stream, and of no other one without proof", async (t) => {
  const store = new MemoryStore();
  const own = await putStream(pool, [store], plain, { first: 13, lengths: [2, 2], time: 1000 });
  await putStream(pool, [store], forked, { first: 13, lengths: [8], time: 2000 });
  const from = await sites(store);
  const anchor = { stream: own.name };
  await reads(t, from, { after: 12, upTo: 16, anchor });
  await fails(t, from, { after: 12, upTo: 17, anchor }, { code: "LOG_FORK", upTo: 16 });
  // The writer had the base, so it must say what it saw of its last revision.
  const known = { ...anchor, digest: digestOf(12) };
  const unproven = { code: "LOG_UNPROVEN", upTo: 12 };
  await fails(t, from, { after: 12, upTo: 16, anchor: known }, unproven);
  await store.delete(keyOf(own, 0));
  await fails(t, await sites(store), { after: 12, upTo: 16, anchor }, unproven);
});

test("after a base of which nothing is known, only the stream of that base goes on without proof", async (t) => {
  const store = new MemoryStore();
  const own = await putStream(pool, [store], plain, { first: 13, lengths: [2], time: 1000 });
  const before = digestOf(12, forked);
  await putStream(pool, [store], forked, { first: 13, lengths: [8], time: 2000, before });
  const from = await sites(store);
  const options = { after: 12, upTo: 14 };
  for (const anchor of [{}, { isCompacted: true }, { stream: "Etcd-00000013-1-00000000" }]) {
    await fails(t, from, { ...options, anchor }, { code: "LOG_UNPROVEN", upTo: 12 });
  }
  await reads(t, from, { ...options, anchor: { stream: own.name, isCompacted: true } });
});

test("what a compaction has left of the last revision of a base proves the log if no key was deleted in it", async (t) => {
  const putsOf = (number: number, history = plain) =>
    changesDigest(history(number).changes.filter(({ deleted }) => !deleted));
  // Revisions that divide by 5 delete a key.
  for (const [first, after, history, code] of [
    [13, 12, plain, undefined],
    [11, 12, plain, undefined],
    [13, 12, forked, "LOG_UNPROVEN"],
    [11, 12, forked, "LOG_UNPROVEN"],
    [16, 15, plain, "LOG_UNPROVEN"],
    [14, 15, mixed, undefined],
    [16, 15, mixed, "LOG_UNPROVEN"],
  ] as const) {
    const store = new MemoryStore();
    const before = digestOf(first - 1, history);
    await putStream(pool, [store], history, { first, lengths: [8], before });
    const known = history === mixed ? mixed : plain;
    const digest = known === plain && after === 15 ? undefined : putsOf(after, known);
    const options = { after, upTo: 18, anchor: { digest, isCompacted: true } };
    if (code === undefined) await reads(t, await sites(store), options, history);
    else await fails(t, await sites(store), options, { code, upTo: after });
  }
});

test("where parts are given, another stream is read from the revision on that its part begins with", async (t) => {
  const store = new MemoryStore();
  const old = await putStream(pool, [store], plain, { first: 5, lengths: [4, 9], time: 1000 });
  const before = digestOf(9, forked);
  const next = await putStream(pool, [store], forked, {
    ...{ first: 10, lengths: [4, 4], time: 2000, before },
  });
  const from = await sites(store);
  const parts = [
    { stream: old.name, first: 5, last: 9 },
    { stream: next.name, first: 10, last: 16 },
  ];
  await reads(t, from, { after: 4, upTo: 16, parts }, forked);
  await reads(t, from, { after: 4, upTo: 16 }, plain);
  await store.delete(keyOf(next, 1));
  const lost = await sites(store);
  await fails(t, lost, { after: 4, upTo: 16, parts }, { code: "LOG_HOLE", upTo: 13 });
});

test("the cluster of the base must be that of the deltas", async (t) => {
  const store = new MemoryStore();
  const facts = { first: 5, lengths: [2], clusterId: "abc" };
  const stream = await putStream(pool, [store], plain, facts);
  const from = await sites(store);
  const anchor = { stream: stream.name, clusterId: "abc" };
  await reads(t, from, { after: 4, upTo: 6, anchor });
  const options = { after: 4, upTo: 6, anchor: { ...anchor, clusterId: "abd" } };
  await fails(t, from, options, { code: "LOG_FORK", message: /cluster abc, not abd/, upTo: 4 });
});

test("revisions that no delta holds are a hole", async (t) => {
  const store = new MemoryStore();
  const stream = await putStream(pool, [store], plain, { first: 5, lengths: [3, 2, 4] });
  await store.delete(keyOf(stream, 1));
  const from = await sites(store);
  const message = /^no delta holds revision 8 to 9$/;
  await fails(t, from, { after: 4, upTo: 13 }, { code: "LOG_HOLE", message, upTo: 7 });
  const end = { code: "LOG_HOLE", message: /^no delta holds revision 14$/, upTo: 13 };
  await fails(t, from, { after: 9, upTo: 15 }, end);
});

test("what is missing or damaged in one store is read from the other, also in the middle of a delta", async (t) => {
  const [one, two] = [new MemoryStore("one"), new MemoryStore("two")];
  const options = { first: 5, lengths: [3, 40, 4, 2], chunkBytes: 64 };
  const stream = await putStream(pool, [one, two], plain, options);
  await one.delete(keyOf(stream, 0));
  await two.delete(keyOf(stream, 2));
  const key = keyOf(stream, 1);
  const { bytes } = one.objects.get(`one/${key}`) ?? { bytes: Buffer.of() };
  await one.put(key, bytes.subarray(0, bytes.length - 100));
  await two.put(keyOf(stream, 3), Buffer.from("damaged"));
  for (const stores of [
    [one, two],
    [two, one],
  ]) {
    await reads(t, await sites(...stores), { after: 4, upTo: 53 });
  }
});

test("a damaged delta that no other copy or stream replaces is named", async (t) => {
  const store = new MemoryStore();
  const stream = await putStream(pool, [store], plain, { first: 5, lengths: [3, 2, 4] });
  const { bytes } = store.objects.get(keyOf(stream, 1)) ?? { bytes: Buffer.of() };
  await store.put(keyOf(stream, 1), Buffer.concat([bytes, Buffer.of(0)]));
  const message = new RegExp(`^${keyOf(stream, 1)}`);
  const options = { after: 4, upTo: 13 };
  await fails(t, await sites(store), options, { code: "DAMAGED", message, upTo: 7 });
  await putStream(pool, [store], plain, { first: 5, lengths: [9], time: 2 });
  await reads(t, await sites(store), options);
});

test("a delta that is longer than it was listed is damaged, and is not read to its end", async (t) => {
  const store = new MemoryStore();
  const stream = await putStream(pool, [store], plain, { first: 5, lengths: [3, 2] });
  const from = await sites(store);
  await store.put(keyOf(stream, 1), Buffer.alloc(1 << 20));
  const message = /longer than it was listed/;
  await fails(t, from, { after: 4, upTo: 9 }, { code: "DAMAGED", message, upTo: 7 });
});

test("deltas that are moved to another number, stream or time are found", async (t) => {
  const store = new MemoryStore();
  const options = { first: 5, lengths: [3, 3] };
  const stream = await putStream(pool, [store], plain, options);
  const other = await putStream(pool, [], plain, options);
  const content = (of: typeof stream, number: number) => of.sealed[number]?.bytes ?? Buffer.of();
  for (const wrong of [content(stream, 0), content(other, 1)]) {
    await store.put(keyOf(stream, 1), wrong);
    const expected = { code: "DOES_NOT_BELONG", upTo: 7 };
    await fails(t, await sites(store), { after: 4, upTo: 10 }, expected);
  }
});

test("where one store cannot be reached, the deltas are read from another", async (t) => {
  const [inner, other] = [new MemoryStore("one"), new MemoryStore("two")];
  await putStream(pool, [inner, other], plain, { first: 5, lengths: [3, 3] });
  const down = new SwitchableStore(inner);
  const from = await sites(down, other);
  down.before = () => {
    throw new StoreError("STORE_TRANSIENT", "down", { store: down.name });
  };
  await reads(t, from, { after: 4, upTo: 10 });
});

test("a wrong passphrase is told", async (t) => {
  const store = new MemoryStore();
  await putStream(pool, [store], plain, { first: 5, lengths: [3] });
  const wrong = samplePassphrase("another passphrase");
  const options = { after: 4, upTo: 7, passphrase: wrong };
  await fails(t, await sites(store), options, { code: "WRONG_PASSPHRASE", upTo: 4 });
});

test("small deltas are read by one request each, ahead of the consumer, and none after the last", async (t) => {
  const inner = new MemoryStore();
  const stream = await putStream(pool, [inner], plain, { first: 5, lengths: Array(30).fill(2) });
  const store = new SwitchableStore(inner);
  const from = await sites(store);
  store.calls.length = 0;
  const log = readLog(from, { after: 4, upTo: 44, passphrase, pool, signal });
  await log.next();
  // The keys of the stream take the headers of its first file, by a request of its own.
  t.is(store.keysOf("get").filter((key) => key !== keyOf(stream, 0)).length, 12);
  for await (const _ of log);
  const gets = store.keysOf("get").filter((key) => key !== keyOf(stream, 0));
  t.deepEqual(
    gets,
    Array.from({ length: 19 }, (_, i) => keyOf(stream, i + 1)),
  );
});

test("the heads of the deltas are reported as they are read", async (t) => {
  const store = new MemoryStore();
  await putStream(pool, [store], plain, { first: 5, lengths: [3, 3, 3] });
  const heads: [number, number, number][] = [];
  await read(await sites(store), {
    after: 6,
    upTo: 9,
    onDelta: ({ number, head }) => heads.push([number, head.first, head.last]),
  });
  t.deepEqual(heads, [
    [0, 5, 7],
    [1, 8, 10],
  ]);
});

/** A stream of a random log. */
const anyStream = fc.record({
  isForked: fc.boolean(),
  first: fc.integer({ min: 2, max: 24 }),
  lengths: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 }),
  time: fc.integer({ min: 1, max: 9 }),
  sees: fc.boolean(),
  lost: fc.array(fc.nat(4), { maxLength: 2 }),
  damaged: fc.array(fc.nat(4), { maxLength: 1 }),
});

test("whatever streams there are, what is read is one history without a gap, and all of it where it is there", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyStream, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 25 }),
      fc.boolean(),
      async (streams, after, length, fromFork) => {
        const store = new MemoryStore();
        /** Revisions of each history that intact deltas hold. */
        const held = { plain: new Set<number>(), forked: new Set<number>() };
        let isAllSeen = true;
        for (const { isForked, lost, damaged, sees, ...facts } of streams) {
          const history = isForked ? forked : plain;
          const before = sees ? digestOf(facts.first - 1, history) : null;
          isAllSeen &&= sees;
          const stream = await putStream(pool, [store], history, { ...facts, before });
          for (const [number, { first, last }] of stream.sealed.entries()) {
            if (lost.includes(number)) {
              await store.delete(keyOf(stream, number));
            } else if (damaged.includes(number)) {
              await store.put(keyOf(stream, number), Buffer.alloc(200));
            } else {
              for (let one = first; one <= last; one++) {
                held[isForked ? "forked" : "plain"].add(one);
                if (one < 10) held[isForked ? "plain" : "forked"].add(one);
              }
            }
          }
        }
        const history = fromFork ? forked : plain;
        const upTo = after + length;
        const anchor = { digest: digestOf(after, history) };
        const { revisions, error } = await read(await sites(store), { after, upTo, anchor });
        const asWritten = (of: typeof plain) =>
          Array.from({ length: revisions.length }, (_, i) => of(after + 1 + i));
        const isOurs = matches(revisions, asWritten(history));
        if (after >= 10) t.true(isOurs);
        else t.true(isOurs || matches(revisions, asWritten(fromFork ? plain : forked)));
        t.is(error === undefined, revisions.length === length);
        if (!isAllSeen || after < 10) return;
        const own = held[fromFork ? "forked" : "plain"];
        let reach = after;
        while (own.has(reach + 1)) reach++;
        t.is(revisions.length, Math.min(reach, upTo) - after);
      },
    ),
    { numRuns: 120 },
  );
});

test("what is read of a stream is in a part of it, whatever streams and parts there are", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyStream, { minLength: 1, maxLength: 4 }),
      fc.array(fc.record({ of: fc.nat(3), length: fc.integer({ min: 1, max: 6 }) }), {
        minLength: 1,
        maxLength: 6,
      }),
      fc.integer({ min: 1, max: 12 }),
      async (streams, lengths, after) => {
        const store = new MemoryStore();
        const names: string[] = [];
        for (const { isForked, lost, damaged: _, sees: __, ...facts } of streams) {
          const history = isForked ? forked : plain;
          const before = digestOf(facts.first - 1, history);
          const one = await putStream(pool, [store], history, { ...facts, before });
          names.push(one.name);
          for (const number of lost) {
            if (number < one.sealed.length) await store.delete(keyOf(one, number));
          }
        }
        let next = after + 1;
        const parts = lengths.map(({ of, length }) => {
          const first = next;
          next += length;
          return { stream: names[of % names.length] ?? "", first, last: next - 1 };
        });
        let at = "";
        let end = after;
        const log = readLog(await sites(store), {
          ...{ after, upTo: next - 1, parts, passphrase, pool, signal },
          onDelta: ({ stream }) => {
            at = stream.name.text;
          },
        });
        try {
          for await (const batch of log) {
            for (const one of batch) {
              t.is(one.revision, ++end);
              const part = parts.find(({ first, last }) => first <= end && end <= last);
              t.is(part?.stream, at);
            }
          }
          t.is(end, next - 1);
        } catch (error) {
          t.true(error instanceof LogError);
        }
      },
    ),
    { numRuns: 60 },
  );
});

function matches(one: readonly ArchivedRevision[], other: readonly ArchivedRevision[]): boolean {
  return JSON.stringify(one, plainBigint) === JSON.stringify(other, plainBigint);
}

function plainBigint(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

test("deltas that are too large to be read whole are read by ranges", async (t) => {
  const inner = new MemoryStore();
  const big = (number: number) => ({
    ...revision(number),
    changes: [{ deleted: false, kv: randomBytes(3 << 20) }],
  });
  const history = [5, 6, 7].map(big);
  const stream = await putStream(pool, [inner], (number) => history[number - 5] ?? big(number), {
    ...{ first: 5, lengths: [2, 1] },
  });
  const store = new SwitchableStore(inner);
  const from = await sites(store);
  store.calls.length = 0;
  const { revisions, error } = await read(from, { after: 4, upTo: 7 });
  t.is(error, undefined);
  t.deepEqual(
    revisions.map(({ changes }) => changes[0]?.kv.length),
    [3 << 20, 3 << 20, 3 << 20],
  );
  t.true(
    revisions.every(({ changes }, i) =>
      history[i]?.changes[0]?.kv.equals(changes[0]?.kv ?? Buffer.of()),
    ),
  );
  t.true(store.keysOf("head").includes(keyOf(stream, 0)));
  t.is(store.keysOf("get").filter((key) => key === keyOf(stream, 1)).length, 1);
});
