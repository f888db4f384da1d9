import test from "ava";
import fc from "fast-check";
import type { HistoryPlan } from "../../../../src/operations/history/plan/history-plan.js";
import { isOfMoment } from "../../../../src/operations/history/plan/live-plan.js";
import { findMoment } from "../../../../src/operations/history/plan/moment.js";
import { newestRevision } from "../../../../src/operations/history/plan/newest-revision.js";
import { planRevision } from "../../../../src/operations/history/plan/plan-history.js";
import {
  type HeldBase,
  type LiveState,
  type Made,
  type RecordedStream,
  type RestoredHistory,
  restoredHistories,
} from "../../../support/history/restored-histories.js";

type Plan = HistoryPlan<HeldBase, RecordedStream>;

/** What a restore gives: the last revision of its state, unless it is an error, and whether it names what else there is. */
interface Restored {
  readonly made?: Made | undefined;
  readonly isNamed: boolean;
}

/** As `followHistory` does it, with what the comparison of changes finds. */
function restored(history: RestoredHistory, timeMs?: number): Restored {
  const { bases, streams, damaged } = history;
  const left = new Set(bases);
  const unreadable = new Set<number>();
  /** A damaged base is named in a warning. If it is of a later revision, what comes instead is an earlier one. */
  const isLeftOut = (revision = 0): boolean =>
    [...damaged].some((base) => base.revision >= revision && !left.has(base));
  const atTime = timeMs === undefined ? undefined : revisionAt(history, timeMs);
  for (;;) {
    const newest = timeMs === undefined ? newestRevision([...left], streams, bases) : undefined;
    const revision = atTime?.revision ?? newest?.revision;
    const isDoubtful = newest?.undone !== undefined || (newest?.doubtful.length ?? 0) > 0;
    const isNamed = (atTime?.isNamed ?? isDoubtful) || isLeftOut(revision);
    if (revision === undefined) return { isNamed };
    const options = { asOfMs: timeMs, live: true, evidence: bases };
    const plan = planRevision([...left], streams, revision, options).find(
      ({ log }) =>
        ![...unreadable].some((bad) => log.some(({ first, last }) => first <= bad && bad <= last)),
    );
    if (plan === undefined) return { isNamed };
    if (!isProvenByNext(plan)) {
      unreadable.add(revision);
      continue;
    }
    const fork = damaged.has(plan.base) ? undefined : forkOf(plan);
    if (fork === "none") return { made: stateOf(plan), isNamed };
    if (typeof fork === "number") unreadable.add(fork);
    else left.delete(plan.base);
    if (fork === "base" && isOfMoment(plan.base, bases, streams, timeMs)) return { isNamed };
  }
}

function revisionAt({ bases, streams }: RestoredHistory, timeMs: number) {
  const { least, reading, next, doubtful } = findMoment(bases, streams, timeMs);
  let revision = least;
  for (const { stream, first, last } of reading) {
    for (let one = first; one <= last; one++) {
      if ((stream.seenMs.get(one) ?? 0) > timeMs) return { revision, isNamed: false };
      revision = one;
    }
  }
  return { revision, isNamed: next !== "nothing" || doubtful.length > 0 };
}

function isProvenByNext({ revision, log, proof }: Plan): boolean {
  const end = log.at(-1);
  if (proof?.kind !== "next" || end === undefined) return true;
  return before(proof.segment.stream, revision + 1) === end.stream.held.get(revision);
}

/** Where base and log do not fit: at the base, or at a revision of the log. */
function forkOf({ base, log, proof }: Plan): "none" | "base" | number {
  if (proof?.kind === "same") {
    const { stream, first } = proof.segment;
    if (base.line[first - 1] !== stream.held.get(first)) return "base";
  }
  let last: Made | undefined = base.line.at(-1);
  for (const [i, segment] of log.entries()) {
    if (before(segment.stream, segment.first) !== last) return i === 0 ? "base" : segment.first;
    last = segment.stream.held.get(segment.last);
  }
  return "none";
}

/** The revision before one of a stream, as its writer saw it. */
function before({ held, before: first }: RecordedStream, revision: number): Made | undefined {
  return held.get(revision - 1) ?? first;
}

function stateOf({ base, revision, log }: Plan): Made | undefined {
  return log.length === 0 ? base.line[revision - 1] : log.at(-1)?.stream.held.get(revision);
}

function liveAt({ states }: RestoredHistory, timeMs: number): LiveState | undefined {
  return states.findLast(({ fromMs }) => fromMs <= timeMs);
}

/** Of a history that left no record, nobody can know. */
function isRecorded({ bases, streams }: RestoredHistory, epoch: number): boolean {
  return (
    bases.some((base) => base.epoch === epoch) ||
    streams.some((stream) => stream.epoch === epoch && stream.runs.length > 0)
  );
}

/** Whether etcd came to the same revision again before its first record after a restore: until then, nothing shows it. */
function isHidden(
  { bases, streams }: RestoredHistory,
  epoch: number,
  { revision }: Made,
  timeMs: number,
): boolean {
  const isAfter = (one: { readonly epoch: number; readonly revision: number; ms: number }) =>
    one.epoch === epoch && one.ms > timeMs && one.revision === revision;
  const records = [
    ...bases.map((base) => ({ ...base, ms: base.takenMs })),
    ...streams.map(({ epoch: its, name }) => {
      return { epoch: its, revision: name.firstRevision - 1, ms: 1000 * name.time };
    }),
  ];
  return records.some(isAfter);
}

function checkLive(made: Made, { line }: LiveState, history: RestoredHistory): void {
  if (line[made.revision - 1] === made) return;
  const bases = history.bases.map(({ line: _, ...base }) => base);
  const streams = history.streams.map(({ name, runs }) => ({ name, runs }));
  const states = history.states.map(({ line: its, ...state }) => ({ ...state, last: its.length }));
  const text = JSON.stringify({ bases, streams, states, damaged: [...history.damaged].length });
  throw new Error(`revision ${made.revision} is of another history: ${text}`);
}

const RUNS = 3000;

test("the newest revision is of the history that etcd has now, or what else there is is named, or it is an error", (t) => {
  let right = 0;
  fc.assert(
    fc.property(restoredHistories, (history) => {
      const live = liveAt(history, history.endMs);
      if (live === undefined || !isRecorded(history, live.epoch)) return;
      const { made, isNamed } = restored(history);
      if (made === undefined || isNamed) return;
      checkLive(made, live, history);
      right++;
    }),
    { numRuns: RUNS },
  );
  t.true(right > RUNS / 4, `${right}`);
});

const asked = restoredHistories.chain((history) =>
  fc.record({
    history: fc.constant(history),
    timeMs: fc.integer({ min: 1_600_000_000_000, max: history.endMs }),
  }),
);

test("a time gives the history that etcd had then, or says that it may be another, or is an error", (t) => {
  let right = 0;
  fc.assert(
    fc.property(asked, ({ history, timeMs }) => {
      const live = liveAt(history, timeMs);
      if (live === undefined || !isRecorded(history, live.epoch)) return;
      const { made, isNamed } = restored(history, timeMs);
      if (made === undefined || isNamed || isHidden(history, live.epoch, made, timeMs)) return;
      checkLive(made, live, history);
      right++;
    }),
    { numRuns: RUNS },
  );
  t.true(right > RUNS / 8, `${right}`);
});
