import test from "ava";
import { StoredSince } from "../../../src/server/deltas/stored-since.js";
import { deltaName } from "../../../src/snapshots/streams/delta-name.js";
import type { StoredStream } from "../../../src/snapshots/streams/stored-stream.js";
import { StreamFolder } from "../../../src/snapshots/streams/stream-folder.js";
import { streamName } from "../../../src/snapshots/streams/stream-name.js";

const TIME = 1_795_000_000;
const OLD = streamName({ firstRevision: 11, time: TIME, id: "00".repeat(16) });
const NEW = streamName({ firstRevision: 41, time: TIME + 60, id: "11".repeat(16) });

/** A delta of ten revisions. */
function deltaOf({ text, firstRevision, time }: typeof OLD, number: number) {
  const first = firstRevision + 10 * number;
  const name = deltaName({ number, first, last: first + 9, time: time + number });
  return { stream: text, key: `${text}/${name}`, bytes: Buffer.alloc(100) };
}

function listedOf(name: typeof OLD, deltas: number): StoredStream {
  const folder = new StreamFolder(name, false);
  for (let i = 0; i < deltas; i++) {
    folder.add({ key: deltaOf(name, i).key, size: 100, modified: new Date(0) });
  }
  folder.add({ key: `${name.text}/ARCHIVE00000.bin`, size: 5000, modified: new Date(0) });
  const ended = folder.end();
  if (ended === undefined) throw new Error("no stream");
  const base = { state: "complete" as const, revision: name.firstRevision - 1 };
  return { ...ended.stream, base };
}

function shown(streams: readonly StoredStream[]) {
  return streams.map(({ name, deltas, last, lastSeen, left, base }) => ({
    ...{ name: name.text, deltas: deltas.length, last, lastSeen },
    ...{ bytes: left.bytes, hasBase: base !== undefined },
  }));
}

test("what was stored since the last listing is in its stream, each delta once", (t) => {
  const stored = new StoredSince();
  for (let i = 0; i < 3; i++) stored.add(deltaOf(OLD, i));
  stored.add(deltaOf(NEW, 0));
  t.deepEqual(shown(stored.addedTo([listedOf(OLD, 2)])), [
    ...[{ name: OLD.text, deltas: 3, last: 40, lastSeen: TIME + 2, bytes: 5300, hasBase: true }],
    ...[{ name: NEW.text, deltas: 1, last: 50, lastSeen: TIME + 60, bytes: 100, hasBase: false }],
  ]);
  t.deepEqual(
    shown(stored.addedTo([])).map(({ deltas }) => deltas),
    [3, 1],
  );
});

test("what was stored before a listing began counts until that has succeeded", (t) => {
  const stored = new StoredSince();
  stored.add(deltaOf(NEW, 0));
  stored.listingBegun();
  stored.add(deltaOf(NEW, 1));
  // It has failed, and another one begins.
  stored.listingBegun();
  t.is(stored.addedTo([])[0]?.last, 60);
  stored.listed();
  t.deepEqual(stored.addedTo([]), []);
  stored.add(deltaOf(NEW, 2));
  stored.listingBegun();
  stored.add(deltaOf(NEW, 3));
  stored.listed();
  const [one] = stored.addedTo([listedOf(NEW, 3)]);
  t.is(one?.last, 80);
  t.deepEqual(one?.gaps, []);
});
