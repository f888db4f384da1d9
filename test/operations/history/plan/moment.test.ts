import test from "ava";
import fc from "fast-check";
import { findMoment, type Moment } from "../../../../src/operations/history/plan/moment.js";
import {
  oneLine,
  type SimulatedHistory,
  type SimulatedStream,
} from "../../../support/history/simulated-history.js";

/** What reading finds: the last revision before the first one that was seen later. */
function read({ least, reading }: Moment<SimulatedStream>, timeMs: number) {
  let revision = least;
  for (const { stream, first, last } of reading) {
    for (let next = first; next <= last; next++) {
      const written = stream.held.get(next);
      if (written === undefined) throw new Error(`no revision ${next}`);
      if (written.seenMs > timeMs) return { revision, later: true };
      revision = next;
    }
  }
  return { revision, later: false };
}

function trueRevision({ line }: SimulatedHistory, timeMs: number): number {
  return line.filter(({ seenMs }) => seenMs <= timeMs).length;
}

const moments = oneLine.chain((history) =>
  fc.record({
    history: fc.constant(history),
    timeMs: fc.integer({ min: 1_600_000_000_000 - 2000, max: history.endMs + 2000 }),
  }),
);

test("the revision of a moment is never one that was made later", (t) => {
  fc.assert(
    fc.property(moments, ({ history, timeMs }) => {
      const { revision = 0 } = read(findMoment(history.bases, history.streams, timeMs), timeMs);
      t.true(revision <= trueRevision(history, timeMs));
    }),
  );
  t.pass();
});

test("it is the last one, unless the log is said to lack what follows, or ends", (t) => {
  fc.assert(
    fc.property(moments, ({ history, timeMs }) => {
      const moment = findMoment(history.bases, history.streams, timeMs);
      const { revision, later } = read(moment, timeMs);
      const { bases, streams } = history;
      const known = Math.max(
        0,
        ...bases.map((base) => base.revision),
        ...streams.flatMap(({ held }) => [...held.keys()]),
      );
      if (revision === undefined) return;
      if (later) t.is(revision, trueRevision(history, timeMs));
      else if (moment.next === "nothing") t.is(revision, known);
      else t.true(revision < known);
    }),
  );
  t.pass();
});

test("only deltas around the moment are read", (t) => {
  const deltas = Array.from({ length: 100 }, (_, i) => ({
    first: 10 * i + 1,
    last: 10 * i + 10,
    time: 1000 + i,
  }));
  const stream = {
    name: { text: "s", firstRevision: 1, time: 990 },
    runs: [{ at: 0, count: 100, first: 1, last: 1000 }],
    deltas: { at: (i: number) => deltas[i] ?? { first: 0, last: 0, time: 0 } },
  };
  const { least, reading, next } = findMoment([], [stream], 1_050_500);
  t.deepEqual(
    { least, next, reading: reading.map(({ first, last }) => [first, last]) },
    { least: 500, next: "nothing", reading: [[501, 520]] },
  );
});
