import test from "ava";
import fc from "fast-check";
import type { Candidate } from "../../../src/snapshots/retention/candidate.js";
import { decide } from "../../../src/snapshots/retention/decide.js";
import { decideStreams } from "../../../src/snapshots/retention/decide-streams.js";
import type { StreamCandidate } from "../../../src/snapshots/retention/stream-candidate.js";
import { streamName } from "../../../src/snapshots/streams/stream-name.js";
import {
  oneLine,
  severalLines,
  type SimulatedBase,
  type SimulatedHistory,
  type SimulatedStream,
  type Written,
} from "../../support/history/simulated-history.js";
import { candidate } from "../../support/stores/retention-candidates.js";

const NOW = new Date(2_000_000_000_000);
const HOUR = 3600;
const DAY = 86_400;

/** A stream of so many revisions, with a delta of each. */
function stream(
  first: number,
  length: number,
  time: number,
  { every = 1, ...more }: Partial<StreamCandidate> & { every?: number } = {},
): StreamCandidate {
  const name = streamName({ firstRevision: first, time, id: "00000000" });
  const last = first + length - 1;
  const runs = length === 0 ? [] : [{ at: 0, count: length, first, last }];
  const deltas = Array.from({ length }, (_, i) => ({ time: time + (i + 1) * every }));
  const ends = { first: runs[0]?.first, last: runs[0]?.last, lastSeen: deltas.at(-1)?.time };
  const none = { problem: undefined, foreign: undefined, base: undefined };
  return { name, deltas, ...none, runs, ...ends, held: false, pinned: false, ...more };
}

/** A stream of two days with a delta each hour, which makes earlier ones too old. */
function newestStream(first: number, time: number, more: Partial<StreamCandidate> = {}) {
  return stream(first, 48, time, { every: HOUR, ...more });
}

function withBase(one: StreamCandidate, state: "complete" | "unfinished" | "damaged" = "complete") {
  return { ...one, base: { state, revision: one.name.firstRevision - 1 } };
}

function full(revision: number, time: number, more: Partial<Candidate> = {}): Candidate {
  const one = candidate("full", time, `full ${time}`, null, more);
  return { ...one, facts: { id: `full ${time}`, base: null, etcdSnapshot: revision } };
}

/** The names of the streams that are kept, by their first revision, and of the backups that they need, by time. */
function kept(
  streams: readonly StreamCandidate[],
  snapshots: readonly Candidate[] = [],
  periodMs = DAY * 1000,
) {
  const decided = decideStreams(streams, snapshots, { periodMs, now: NOW });
  return {
    streams: decided.streams
      .filter(({ keep }) => keep)
      .map(({ stream, reasons }) => `${stream.name.firstRevision} ${reasons[0]?.code}`),
    bases: snapshots
      .filter(({ name }) => decided.bases.has(name.text))
      .map(({ name }) => name.time),
  };
}

test("streams go when their last delta is older than the period before that of the newest stream", (t) => {
  const streams = [0, 1, 2, 3].map((day) =>
    withBase(stream(1 + day * 10, 10, 1000 + day * DAY, { every: DAY / 10 })),
  );
  t.deepEqual(kept(streams).streams, ["21 recent-deltas", "31 newest-stream"]);
  t.deepEqual(kept(streams, [], 0).streams, ["31 newest-stream"]);
  t.is(kept(streams, [], 3 * DAY * 1000).streams.length, 4);
});

/** A day of streams, each of an hour of deltas, which begin with full backups. */
function dayOfStreams(time: number) {
  const hours = Array.from({ length: 24 }, (_, hour) => hour);
  return {
    fulls: hours.map((hour) => full(60 * hour, time + hour * HOUR)),
    streams: hours.map((hour) => stream(60 * hour + 1, 60, time + hour * HOUR, { every: 60 })),
  };
}

function namesKept(streams: readonly StreamCandidate[], snapshots: readonly Candidate[] = []) {
  return decideStreams(streams, snapshots, { periodMs: DAY * 1000, now: NOW }).streams.flatMap(
    ({ stream: { name }, keep }) => (keep ? [name.text] : []),
  );
}

test("the first deltas after an outage make no stream go, nor do some outages one after the other", (t) => {
  const { fulls, streams } = dayOfStreams(1000);
  const all = streams.map(({ name }) => name.text);
  t.deepEqual(namesKept(streams, fulls), all);
  const after = (last: number, hours: number) => 1000 + (24 + hours) * HOUR + last;
  // In a stream of its own, or in the last one before it.
  const monday = stream(1441, 3, after(0, 66));
  t.deepEqual(namesKept([...streams, monday], fulls), [...all, monday.name.text]);
  const last = streams.at(-1);
  if (last === undefined) throw new Error("no stream");
  const lastSeen = after(5, 66);
  const longer = { ...last, lastSeen, deltas: [...last.deltas, { time: lastSeen }] };
  t.deepEqual(namesKept([...streams.slice(0, -1), longer], fulls), all);
  const short = [0, 1, 2, 3, 4, 5].map((i) => stream(1441 + i, 1, after(0, 66 + i * 30)));
  t.is(namesKept([...streams, ...short], fulls).length, 30);
  // They go when there are deltas of a period after it.
  const day = Array.from({ length: 25 }, (_, i) =>
    withBase(stream(1441 + 60 * i, 60, after(0, 66 + i), { every: 60 })),
  );
  t.deepEqual(
    namesKept([...streams, ...day], fulls),
    day.map(({ name }) => name.text),
  );
});

test("an etcd that changes each night keeps the streams of some nights, not of all", (t) => {
  const nights = Array.from({ length: 40 }, (_, i) =>
    withBase(stream(1 + i * 5, 5, 1000 + i * DAY, { every: 60 })),
  );
  const left = namesKept(nights);
  t.deepEqual(
    left,
    nights.slice(-left.length).map(({ name }) => name.text),
  );
  t.true(left.length > 2 && left.length < 12, `${left.length}`);
});

test("a base without deltas that is made later makes no stream go", (t) => {
  const { fulls, streams } = dayOfStreams(1000);
  const base = withBase(stream(1441, 0, 1000 + 90 * DAY));
  const other = withBase(stream(900, 0, 1000 + 180 * DAY));
  t.is(namesKept([...streams, base, other], fulls).length, 26);
});

test("a stream of a clock that was behind stays with that which it goes on from", (t) => {
  const { fulls, streams } = dayOfStreams(400 * DAY);
  streams.unshift(newestStream(3000, 398 * DAY));
  const behind = stream(1441, 5, DAY);
  const next = withBase(stream(1450, 5, 401 * DAY + HOUR));
  t.true(namesKept([...streams, behind, next], fulls).includes(behind.name.text));
  const unrelated = stream(5000, 5, DAY);
  t.false(namesKept([...streams, unrelated, next], fulls).includes(unrelated.name.text));
});

test("the newest stream stays, and one in the future makes none too old", (t) => {
  t.deepEqual(kept([withBase(stream(1, 5, 1000))], [], 0).streams, ["1 newest-stream"]);
  const future = withBase(stream(90, 1, NOW.getTime() / 1000 + 9));
  t.deepEqual(kept([withBase(stream(1, 5, 1000)), future], [], 0).streams, [
    "1 newest-stream",
    "90 future",
  ]);
});

test("the newest base before a kept stream stays, with the streams in between, but no older base", (t) => {
  const fulls = [full(5, 500), full(20, 2000), full(25, 2500)];
  // The second full is taken in the middle of the old stream, which the newest stream needs for 21 to 30.
  const streams = [stream(6, 25, 600, { lastSeen: 3000 }), newestStream(31, 3000 + 2 * DAY)];
  t.deepEqual(kept(streams, fulls), {
    streams: ["6 delta-base", "31 newest-stream"],
    bases: [2500],
  });
  t.deepEqual(kept(streams.slice(1), fulls.slice(1)).bases, [2500]);
});

test("backups without a raw snapshot, and unfinished ones, are no bases", (t) => {
  const records = candidate("full", 3000, "records", null);
  const unfinished = full(28, 4000, { state: "unfinished" });
  const fulls = [full(20, 2000), records, unfinished];
  t.deepEqual(kept([stream(31, 3, 9000)], fulls).bases, [2000]);
});

test("a stream with a base of its own needs no other, unless that is not complete", (t) => {
  const streams = [stream(21, 10, 3000), newestStream(31, 3000 + 2 * DAY)];
  const [old, newest] = streams as [StreamCandidate, StreamCandidate];
  const fulls = [full(20, 2000)];
  t.deepEqual(kept([old, withBase(newest)], fulls), { streams: ["31 newest-stream"], bases: [] });
  const unfinished = kept([old, withBase(newest, "unfinished")], fulls);
  t.deepEqual(unfinished, { streams: ["21 delta-base", "31 newest-stream"], bases: [2000] });
  // While nothing is written, each full backup has the revision of its base.
  const idle = [0, 1, HOUR].map((later) => full(30, 3000 + 2 * DAY + later));
  t.deepEqual(kept([withBase(newest)], idle).bases, []);
});

test("the base of an old stream keeps that stream for a newer one", (t) => {
  const streams = [withBase(stream(10, 21, 3000)), newestStream(31, 3000 + 2 * DAY)];
  t.deepEqual(kept(streams).streams, ["10 delta-base", "31 newest-stream"]);
});

test("a hold on a backup keeps the streams up to the next raw snapshot; one on a stream keeps what that needs", (t) => {
  const fulls = [full(9, 900), full(20, 2000, { held: true }), full(40, 4000)];
  const streams = [
    stream(10, 11, 1000),
    stream(21, 10, 2100),
    stream(31, 10, 3100),
    stream(41, 10, 4100),
    withBase(newestStream(60, 9 * DAY)),
  ];
  const withHold = kept(streams, fulls);
  t.deepEqual(withHold.streams, ["21 held", "31 held", "60 newest-stream"]);
  // The first is the base of the held deltas, the other ends them.
  t.deepEqual(withHold.bases, [2000, 4000]);
  const held = streams.map((one, i) => ({ ...one, held: i === 2 }));
  const noneHeld = fulls.map((one) => ({ ...one, held: false }));
  t.deepEqual(kept(held, noneHeld), {
    streams: ["21 delta-base", "31 held", "60 newest-stream"],
    bases: [2000],
  });
});

test("a hold on a stream with a base keeps the streams up to the next raw snapshot, as one on a backup", (t) => {
  const streams = [
    { ...withBase(stream(21, 10, 2100)), held: true },
    stream(31, 10, 3100),
    stream(41, 10, 4100),
    withBase(newestStream(60, 9 * DAY)),
  ];
  t.deepEqual(kept(streams, [full(40, 4000)]), {
    streams: ["21 held", "31 held", "60 newest-stream"],
    bases: [4000],
  });
  const next = withBase(stream(41, 10, 4100));
  t.deepEqual(kept(streams.with(2, next)).streams, [
    "21 held",
    "31 held",
    "41 held",
    "60 newest-stream",
  ]);
});

test("what is pinned, locked, damaged, unfinished or another program's stays", (t) => {
  const newest = withBase(newestStream(90, 9 * DAY));
  const old = (more: Partial<StreamCandidate>) => kept([stream(1, 1, 10, more), newest]).streams[0];
  t.is(old({}), "90 newest-stream");
  t.is(old({ pinned: true }), "1 pinned");
  t.is(old({ lockedUntil: new Date(NOW.getTime() + 1) }), "1 locked");
  t.is(old({ lockedUntil: NOW }), "90 newest-stream");
  t.is(old({ foreign: "x", problem: "x belongs to another program" }), "1 foreign");
  t.is(old({ problem: "it has two deltas of number 1" }), "1 damaged");
  t.is(kept([withBase(stream(1, 1, 10), "damaged"), newest]).streams[0], "1 damaged");
  t.is(kept([withBase(stream(1, 0, 10), "unfinished"), newest]).streams[0], "1 unfinished");
  t.is(kept([stream(1, 0, 10), newest]).streams[0], "1 unfinished");
});

test("without all revisions since any base the newest base before a stream stays, with what there is in between", (t) => {
  const fulls = [full(5, 500), full(20, 2000)];
  const streams = [stream(6, 10, 600), stream(23, 2, 2300), newestStream(31, 9 * DAY)];
  t.deepEqual(kept(streams, fulls), {
    streams: ["23 delta-base", "31 newest-stream"],
    bases: [2000],
  });
});

/** Whether the state of etcd after a change can be made of these bases and streams. */
function isRestorable(
  written: Written,
  all: ReadonlyMap<number, readonly Written[]>,
  bases: readonly SimulatedBase[],
  streams: readonly SimulatedStream[],
): boolean {
  for (let at: Written | undefined = written; at !== undefined; ) {
    const { revision, seenMs }: Written = at;
    if (bases.some(({ line }) => line.at(-1) === at)) return true;
    if (!streams.some(({ held }) => held.get(revision) === at)) return false;
    // A restore to the past begins later than what it repeats.
    at = all.get(revision - 1)?.findLast((one) => one.seenMs <= seenMs);
  }
  return false;
}

function writtenOf({ streams, bases, line }: SimulatedHistory): Map<number, Written[]> {
  const found = new Set(
    [
      ...streams.map(({ held }) => [...held.values()]),
      ...bases.map((one) => one.line),
      line,
    ].flat(),
  );
  const all = new Map<number, Written[]>();
  for (const one of [...found].sort((a, b) => a.seenMs - b.seenMs)) {
    all.set(one.revision, [...(all.get(one.revision) ?? []), one]);
  }
  return all;
}

for (const [what, histories] of [
  ["one history", oneLine],
  ["histories of an etcd that is restored to the past", severalLines],
] as const) {
  test(`of ${what}, whatever of a kept stream could be restored still can be`, (t) => {
    let deleted = 0;
    let checked = 0;
    fc.assert(
      fc.property(histories, fc.nat(20), fc.nat(30), (history, periodSeconds, later) => {
        const fulls = history.bases.map(({ revision, takenMs }) =>
          full(revision, Math.floor(takenMs / 1000)),
        );
        const candidates = history.streams.map(({ name, runs, deltas }, i) => {
          const last = runs.reduce((end, { at, count }) => Math.max(end, at + count), 0) - 1;
          const ends = { first: runs[0]?.first, last: runs.at(-1)?.last };
          const none = { problem: undefined, foreign: undefined, base: undefined };
          return {
            ...{ ...none, ...ends, runs, deltas, held: false, pinned: false },
            name: streamName({ ...name, id: i.toString(16).padStart(8, "0") }),
            lastSeen: last < 0 ? undefined : deltas.at(last).time,
          };
        });
        const periodMs = periodSeconds * 1000;
        // Deltas of other revisions, which make some of the others too old.
        const end = candidates.reduce((time, { lastSeen = 0 }) => Math.max(time, lastSeen), 0);
        const others = withBase(stream(1_000_000, later, end));
        const all = [...candidates, others];
        const decided = decideStreams(all, fulls, { periodMs, now: NOW });
        const needed = fulls.map((one) => ({
          ...one,
          forDeltas: decided.bases.get(one.name.text),
        }));
        const policy = { kind: "limit-based", maxBackups: 1 } as const;
        const keptFulls = new Set(
          decide(needed, policy, NOW, "UTC")
            .filter(({ keep }) => keep)
            .map(({ snapshot }) => snapshot.name.text),
        );
        const keptNames = new Set(
          decided.streams.filter(({ keep }) => keep).map(({ stream: { name } }) => name.text),
        );
        const isKept = (i: number): boolean => keptNames.has(candidates[i]?.name.text ?? "");
        const streams = history.streams.filter((_, i) => isKept(i));
        const keptForThemselves = decided.streams.filter(
          ({ stream: one, keep, reasons }) =>
            one !== others && keep && reasons.some(({ code }) => code !== "delta-base"),
        );
        const bases = history.bases.filter((_, i) => keptFulls.has(fulls[i]?.name.text ?? ""));
        deleted += history.streams.length - streams.length + history.bases.length - bases.length;
        const allWritten = writtenOf(history);
        for (const { stream: kept } of keptForThemselves) {
          const one = history.streams[candidates.findIndex(({ name }) => name === kept.name)];
          if (one === undefined) throw new Error("no stream");
          for (const written of one.held.values()) {
            if (!isRestorable(written, allWritten, history.bases, history.streams)) continue;
            checked++;
            if (isRestorable(written, allWritten, bases, streams)) continue;
            throw new Error(`revision ${written.revision} of ${one.name.text} is lost`);
          }
        }
      }),
      { numRuns: Number(process.env["BACKUPTOOL_TEST_ROUNDS"] ?? 300), includeErrorInReport: true },
    );
    t.log({ deleted, checked });
    t.true(deleted > 0 && checked > 0);
  });
}
