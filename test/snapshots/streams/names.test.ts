import test from "ava";
import fc from "fast-check";
import { deltaName, parseDeltaName } from "../../../src/snapshots/streams/delta-name.js";
import {
  compareStreamNames,
  parseStreamName,
  streamName,
} from "../../../src/snapshots/streams/stream-name.js";

const revision = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const time = fc.nat(999_999_999_999);
const streams = fc
  .record({
    firstRevision: revision,
    time,
    id: fc
      .uint8Array({ minLength: 16, maxLength: 16 })
      .map((id) => Buffer.from(id).toString("hex")),
  })
  .map(streamName);
const deltas = fc
  .record({ number: fc.nat(99_999_999), revisions: fc.tuple(revision, revision), time })
  .map(({ number, revisions: [a, b], time }) => ({
    ...{ number, time },
    ...{ first: Math.min(a, b), last: Math.max(a, b) },
  }));

test("parsing the name of a stream restores its facts", (t) => {
  fc.assert(fc.property(streams, (name) => t.deepEqual(parseStreamName(name.text), name)));
  const id = "9f86d081884c7d659a2feaa0c55ad015";
  const name = streamName({ firstRevision: 9003, time: 1565021504, id });
  t.is(name.text, "Etcd-00009003-1565021504-9f86d081");
});

test("parsing the name of a delta restores its facts", (t) => {
  fc.assert(fc.property(deltas, (name) => t.deepEqual(parseDeltaName(deltaName(name)), name)));
  const name = deltaName({ number: 1, first: 9051, last: 123456789, time: 1565021533 });
  t.is(name, "DELTA00000001-00009051-123456789-1565021533.bin");
});

test("names of streams in another form are rejected", (t) => {
  for (const text of [
    "",
    "Etcd-9003-1565021504-9f86d081",
    "Etcd-00000000-1565021504-9f86d081",
    "Etcd-000009003-1565021504-9f86d081",
    "Etcd-00009003-01565021504-9f86d081",
    "Etcd-00009003-1565021504-9F86D081",
    "Etcd-00009003-1565021504-9f86d08",
    "Etcd-00009003-1565021504-9f86d0811",
    "Etcd-00009003-1565021504-9f86d081/",
    "Etcd-00009003-1565021504-9f86d081\n",
    "Etcd-9007199254740993-1565021504-9f86d081",
    "Etcd-99999999999999999-1565021504-9f86d081",
    "etcd-00009003-1565021504-9f86d081",
    "Full-00000000-00009002-1565021494",
  ]) {
    t.is(parseStreamName(text), undefined, text);
  }
});

test("names of deltas in another form are rejected", (t) => {
  for (const text of [
    "",
    "DELTA00000000.bin",
    "DELTA0000000-00009003-00009050-1565021514.bin",
    "DELTA000000000-00009003-00009050-1565021514.bin",
    "DELTA00000000-0009003-00009050-1565021514.bin",
    "DELTA00000000-00009003-000009050-1565021514.bin",
    "DELTA00000000-00009051-00009050-1565021514.bin",
    "DELTA00000000-00000000-00009050-1565021514.bin",
    "DELTA00000000-00009003-00009050-01565021514.bin",
    "DELTA00000000-00009003-00009050-1565021514.bin.gz",
    "DELTA00000000-00009003-00009050-1565021514.bin\n",
    ".DELTA00000000-00009003-00009050-1565021514.bin",
    "DELTA00000000-00009003-9007199254740993-1565021514.bin",
    "delta00000000-00009003-00009050-1565021514.bin",
  ]) {
    t.is(parseDeltaName(text), undefined, text);
  }
});

test("streams sort by their start, and no two are equal", (t) => {
  fc.assert(
    fc.property(streams, streams, (a, b) => {
      const order = compareStreamNames(a, b);
      t.is(Math.sign(order), -Math.sign(compareStreamNames(b, a)) + 0);
      t.is(order === 0, a.text === b.text);
      if (a.time < b.time) t.true(order < 0);
    }),
  );
});
