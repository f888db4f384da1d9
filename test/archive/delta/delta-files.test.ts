import test from "ava";
import fc from "fast-check";
import { changesDigest } from "../../../src/archive/delta/changes-digest.js";
import type { ArchivedRevision } from "../../../src/archive/delta/revision.js";
import { FileType } from "../../../src/archive/format.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { CLUSTER_ID, revision, revisions, SampleStream } from "../../support/archive/deltas.js";

const pool = new SealPool(1);
test.after.always(() => pool.close());

const change = fc.record({
  deleted: fc.boolean(),
  kv: fc.uint8Array({ minLength: 1, maxLength: 400 }).map((kv) => Buffer.from(kv)),
});
const anyRevision = fc.record({
  seenMs: fc.maxSafeNat(),
  changes: fc.array(change, { minLength: 1, maxLength: 6 }),
});
/** Deltas of a stream, each with some revisions. */
const anyDeltas = fc.array(fc.array(anyRevision, { minLength: 1, maxLength: 12 }), {
  minLength: 1,
  maxLength: 4,
});

test("revisions are read as they were sealed, in chunks of any size, with times that never go back", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      anyDeltas,
      fc.integer({ min: 1, max: 3000 }),
      fc.integer({ min: 1, max: 2 ** 50 }),
      async (deltas, chunkBytes, first) => {
        const stream = await SampleStream.start(pool, first, { chunkBytes });
        let next = first;
        let seenMs = 0;
        const all: ArchivedRevision[][] = [];
        for (const parts of deltas) {
          const numbered = parts.map((part, i) => ({ ...part, revision: next + i, leases: [] }));
          next += parts.length;
          await stream.seal(numbered);
          all.push(
            numbered.map((one) => {
              seenMs = Math.max(seenMs, one.seenMs);
              return { ...one, seenMs };
            }),
          );
        }
        for (const [number, expected] of all.entries()) {
          t.deepEqual(await stream.read(number), expected);
        }
      },
    ),
    { numRuns: 40 },
  );
});

test("the head of a delta has the facts of its stream, and links it to the delta before", async (t) => {
  const hole = { from: 3, to: 8, reason: "etcd compacted them" };
  const stream = await SampleStream.start(pool, 9, { before: Buffer.alloc(16, 7), hole });
  stream.sealed.push(await stream.writer.seal(revisions(9, 12), 0));
  stream.sealed.push(await stream.writer.seal(revisions(13, 14), 11));
  const [one, two] = [await stream.open(0), await stream.open(1)];
  const digestOf = (number: number) => changesDigest(revision(number).changes);
  t.deepEqual(one.head, {
    ...{ stream: stream.name, clusterId: CLUSTER_ID, first: 9, last: 12 },
    ...{ before: Buffer.alloc(16, 7), after: digestOf(12), compactRevision: 0, hole },
  });
  t.deepEqual(two.head, {
    ...{ stream: stream.name, clusterId: CLUSTER_ID, first: 13, last: 14 },
    ...{ before: digestOf(12), after: digestOf(14), compactRevision: 11, hole: null },
  });
  await Promise.all([one.close(), two.close()]);
});

test("leases come back with their revision", async (t) => {
  const stream = await (await SampleStream.start(pool, 14)).seal(revisions(14, 21));
  const read = await stream.read(0);
  t.deepEqual(read, revisions(14, 21));
  t.deepEqual(read[0]?.leases, [{ id: 14n << 30n, grantedTtl: 60 }]);
});

test("a revision of many changes is read in small chunks", async (t) => {
  const big = revision(5, { changes: 5000 });
  const stream = await (await SampleStream.start(pool, 5, { chunkBytes: 512 })).seal([big]);
  t.deepEqual(await stream.read(0), [big]);
});

test("revisions that do not follow the last ones are not sealed, and the stream goes on", async (t) => {
  const stream = await SampleStream.start(pool, 5);
  await stream.seal(revisions(5, 6));
  const wrong: [readonly ArchivedRevision[], RegExp][] = [
    [[], /without revisions/],
    [revisions(8, 9), /revision 8 in the place of 7/],
    [revisions(6, 7), /revision 6 in the place of 7/],
    [[revision(7), revision(9)], /revision 9 in the place of 8/],
    [[{ ...revision(7), changes: [] }], /no changes in 7/],
  ];
  for (const [parts, message] of wrong) {
    await t.throwsAsync(stream.writer.seal(parts, 0), { instanceOf: RangeError, message });
  }
  await stream.seal(revisions(7, 7));
  t.deepEqual(await stream.read(1), revisions(7, 7));
});

test("no second writer seals other contents under the same keys", async (t) => {
  const { keys } = await SampleStream.start(pool, 5);
  await t.throwsAsync(SampleStream.start(pool, 5, { keys }), {
    instanceOf: RangeError,
    message: /writer already/,
  });
});

test("after a delta that failed, and while one is sealed, no other is", async (t) => {
  const closed = new SealPool(1);
  const stream = await SampleStream.start(closed, 5);
  const sealing = stream.writer.seal(revisions(5, 6), 0);
  await t.throwsAsync(stream.writer.seal(revisions(5, 6), 0), { instanceOf: RangeError });
  await sealing;
  await closed.close();
  await t.throwsAsync(stream.writer.seal(revisions(7, 7), 0));
  const again = stream.writer.seal(revisions(7, 7), 0);
  await t.throwsAsync(again, { instanceOf: RangeError, message: /delta before failed/ });
});

test("facts that no stream has are rejected", async (t) => {
  const hole = (from: number, to: number) => ({ hole: { from, to, reason: "" } });
  for (const facts of [
    { clusterId: "CDF818194E3A8C32" },
    { clusterId: "0cdf8181" },
    { before: Buffer.alloc(15) },
    hole(3, 5),
    hole(0, 4),
    hole(4, 3),
  ]) {
    await t.throwsAsync(SampleStream.start(pool, 5, facts), { instanceOf: RangeError });
  }
});

test("a reason of a hole is cut to what the format holds", async (t) => {
  const hole = { from: 1, to: 4, reason: "ä".repeat(300) };
  const stream = await (await SampleStream.start(pool, 5, { hole })).seal(revisions(5, 5));
  const reader = await stream.open(0);
  t.is(reader.head.hole?.reason, "ä".repeat(128));
  await reader.close();
});

test("a delta under the name of another one does not belong there", async (t) => {
  const stream = await SampleStream.start(pool, 5);
  await stream.seal(revisions(5, 6), revisions(7, 8));
  const named = stream.named(0);
  const cases = [
    { expected: stream.named(1) },
    { bytes: stream.sealed[1]?.bytes },
    { expected: { ...named, last: 7 } },
    { expected: { ...named, first: 4 } },
    { expected: { ...named, time: named.time + 1 } },
    { expected: { ...named, stream: named.stream.replace("-1000-", "-1001-") } },
    { expected: { ...named, number: 1 } },
  ];
  for (const [i, wrong] of cases.entries()) {
    const error = await t.throwsAsync(stream.read(0, wrong));
    t.like(error, { code: "DOES_NOT_BELONG" }, `case ${i}: ${error?.message}`);
  }
});

test("a delta of another stream does not belong to this one, though both have the same passphrase", async (t) => {
  const one = await (await SampleStream.start(pool, 5)).seal(revisions(5, 6));
  const other = await (await SampleStream.start(pool, 5)).seal(revisions(5, 6));
  await t.throwsAsync(one.read(0, { bytes: other.sealed[0]?.bytes }), {
    code: "DOES_NOT_BELONG",
    message: /another stream/,
  });
});

test("any changed, cut or appended byte of a delta is found before a revision of its chunk is handed on", async (t) => {
  const stream = await SampleStream.start(pool, 5, { chunkBytes: 64 });
  const written = revisions(5, 12);
  await stream.seal(written);
  const { bytes } = stream.sealed[0] ?? { bytes: Buffer.of() };
  const check = async (changed: Buffer, what: string): Promise<void> => {
    const got: ArchivedRevision[] = [];
    try {
      const reader = await stream.open(0, { bytes: changed });
      for await (const batch of reader.revisions()) got.push(...batch);
      t.fail(`${what}: read without an error`);
    } catch (error) {
      t.like(error, { name: "ArchiveError" }, what);
    }
    t.deepEqual(got, written.slice(0, got.length), what);
  };
  for (let at = 0; at < bytes.length; at += at < 220 ? 1 : 3) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
    await check(changed, `byte ${at}`);
  }
  for (let length = 0; length < bytes.length; length += 7) {
    await check(bytes.subarray(0, length), `cut to ${length}`);
  }
  await check(Buffer.concat([bytes, Buffer.of(0)]), "a byte more");
});

test("the file key of a delta is its own", async (t) => {
  const { keys } = await SampleStream.start(pool, 5);
  const all = [0, 1].flatMap((number) =>
    [FileType.archive, FileType.delta].map((type) => Buffer.from(keys.fileKey(type, number))),
  );
  t.is(new Set(all.map((key) => key.toString("hex"))).size, all.length);
});
