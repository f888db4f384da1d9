import test from "ava";
import type { ListedHistory } from "../../../src/server/deltas/stored-log.js";
import { wantedStreams } from "../../../src/server/deltas/wanted-streams.js";
import { deltaName } from "../../../src/snapshots/streams/delta-name.js";
import type { StoredStream } from "../../../src/snapshots/streams/stored-stream.js";
import { StreamFolder } from "../../../src/snapshots/streams/stream-folder.js";
import { streamName } from "../../../src/snapshots/streams/stream-name.js";

const HOUR = 3_600;
const NOW = new Date(2_000_000_000_000);
const RETENTION = {
  policy: { kind: "limit-based", maxBackups: 2 },
  timeZone: "UTC",
  streamPeriodMs: 24 * HOUR * 1000,
} as const;

/** A stream with a delta each ten minutes, between two times that many hours ago. */
function streamOf(firstRevision: number, from: number, to: number, hasBase = false): StoredStream {
  const begun = NOW.getTime() / 1000 - from * HOUR;
  const name = streamName({ firstRevision, time: begun, id: "00".repeat(16) });
  const folder = new StreamFolder(name, false);
  for (let number = 0; number < (from - to) * 6; number++) {
    const revision = firstRevision + number;
    const time = begun + number * 600;
    const key = `${name.text}/${deltaName({ number, first: revision, last: revision, time })}`;
    folder.add({ key, size: 100, modified: new Date(time * 1000) });
  }
  const ended = folder.end();
  if (ended === undefined) throw new Error("no stream");
  const base = hasBase ? { state: "complete" as const, revision: firstRevision - 1 } : undefined;
  return { ...ended.stream, base };
}

function historyOf(streams: readonly StoredStream[]): ListedHistory {
  return { snapshots: [], streams, bases: [] };
}

const ANCIENT = streamOf(1001, 60, 40, true);
const OLD = streamOf(1121, 40, 26);
const RECENT_BASE = streamOf(1205, 26, 5, true);
const RECENT = streamOf(1331, 5, 1);
const NEWEST = streamOf(1355, 1, 0);
const ALL = [ANCIENT, OLD, RECENT_BASE, RECENT, NEWEST];

function names(streams: readonly StoredStream[]): string[] {
  return streams.map(({ name }) => name.text);
}

test("a site does not get back the streams that its retention has deleted", (t) => {
  const listed = new Map([
    ["primary", historyOf([RECENT_BASE, RECENT, NEWEST])],
    ["secondary", historyOf(ALL)],
  ] as const);
  for (const target of ["primary", "secondary"] as const) {
    const wanted = wantedStreams(target, listed, { sync: undefined, retention: RETENTION }, NOW);
    t.deepEqual([...(wanted ?? [])].sort(), names([RECENT_BASE, RECENT, NEWEST]).sort(), target);
  }
});

test("what a site missed while it was down is wanted, with the base that it needs", (t) => {
  const recent = names([RECENT_BASE, RECENT, NEWEST]).sort();
  for (const here of [[], [ANCIENT, OLD], [NEWEST]]) {
    const listed = new Map([
      ["primary", historyOf(here)],
      ["secondary", historyOf([RECENT_BASE, RECENT, NEWEST])],
    ] as const);
    const wanted = wantedStreams("primary", listed, { sync: undefined, retention: RETENTION }, NOW);
    t.deepEqual([...(wanted ?? [])].sort(), recent);
  }
});

test("a mirror is to have all that the primary has", (t) => {
  const sync = { mirror: { maxDeleteFraction: 1, graceMs: 0 } };
  const listed = new Map([
    ["primary", historyOf(ALL)],
    ["secondary", historyOf([])],
  ] as const);
  t.is(wantedStreams("secondary", listed, { sync, retention: RETENTION }, NOW), undefined);
  const wanted = wantedStreams("primary", listed, { sync, retention: RETENTION }, NOW);
  t.false(wanted?.has(ANCIENT.name.text));
});
