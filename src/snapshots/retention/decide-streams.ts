import { compareStreamNames } from "../streams/stream-name.js";
import { endOf, LogNeeds } from "../streams/log-needs.js";
import type { Candidate } from "./candidate.js";
import { NO_RULE, type Reason } from "./reason.js";
import type { StreamCandidate } from "./stream-candidate.js";
import { newestTooOld } from "./written-time.js";

export interface StreamDecision {
  readonly stream: StreamCandidate;
  readonly keep: boolean;
  /** At least one. */
  readonly reasons: readonly Reason[];
}

export interface StreamDecisions {
  /** Oldest first. */
  readonly streams: readonly StreamDecision[];
  /** Why backups are kept for the sake of deltas, by name. */
  readonly bases: ReadonlyMap<string, Reason>;
}

/**
 * Decides about all streams of one store. Those whose last delta is not older than `periodMs` are kept, whole, with all
 * that their deltas need. Ages are counted from the newest delta, not from the clock, and without long pauses: neither
 * while no delta comes nor by the first one after an outage any gets too old. The newest stream is kept, whatever its age,
 * and so is what is protected.
 *
 * @param now a stream with a later time is kept
 */
export function decideStreams(
  candidates: readonly StreamCandidate[],
  snapshots: readonly Candidate[],
  { periodMs, now }: { readonly periodMs: number; readonly now: Date },
): StreamDecisions {
  const sorted = candidates.toSorted((a, b) => compareStreamNames(a.name, b.name));
  const needs = new LogNeeds(snapshots, sorted);
  const kept = new Map<StreamCandidate, Reason[]>();
  const keep = (one: StreamCandidate, reason: Reason): void => {
    const reasons = kept.get(one);
    if (reasons === undefined) kept.set(one, [reason]);
    else if (!reasons.some(({ code }) => code === reason.code)) reasons.push(reason);
  };
  for (const one of sorted) for (const reason of protections(one, now)) keep(one, reason);
  const byName = new Map(sorted.map((one) => [one.name.text, one]));
  const bases = new Map<string, Reason>();
  for (const { held, name } of [...snapshots, ...sorted]) {
    if (!held) continue;
    const reason: Reason = { code: "held", words: `held with ${name.text}` };
    const { streams, end } = needs.streamsAfter(name.text);
    for (const one of streams) keep(one, reason);
    if (end === undefined) continue;
    const ends: Reason = { code: "held", words: `ends the deltas that are held with ${name.text}` };
    const stream = byName.get(end);
    if (stream === undefined) bases.set(end, ends);
    else keep(stream, ends);
  }
  const past = sorted.filter((one) => !isFuture(one, now));
  // A base alone, which `compact` makes long after its last revision was written, is no history, and makes none old.
  const written = past.some(({ runs }) => runs.length > 0)
    ? past.filter(({ runs }) => runs.length > 0)
    : past;
  const tooOld = newestTooOld(timesOf(written, now), periodMs / 1000) ?? Number.NEGATIVE_INFINITY;
  const newest = written.reduce((time, one) => Math.max(time, endOf(one)), 0);
  const ends = countedEnds(past);
  for (const one of past) {
    if (one === past.at(-1) || one === written.at(-1) || endOf(one) === newest) {
      keep(one, { code: "newest-stream", words: "the newest stream of deltas" });
    }
    if ((ends.get(one) ?? 0) > tooOld) {
      keep(one, { code: "recent-deltas", words: "its last delta is recent" });
    }
  }
  addNeeded(sorted, needs, bases, kept, keep);
  const streams = sorted.map((stream): StreamDecision => {
    const reasons = kept.get(stream);
    return { stream, keep: reasons !== undefined, reasons: reasons ?? [NO_RULE] };
  });
  return { streams, bases };
}

/** When deltas were written, ascending; without deltas when the streams were begun. */
function timesOf(streams: readonly StreamCandidate[], now: Date): Float64Array {
  let count = 0;
  // A listing may keep fewer times than there are deltas.
  for (const { deltas } of streams) {
    if (deltas.length === 0) count++;
    for (const _ of deltas) count++;
  }
  const times = new Float64Array(count);
  let at = 0;
  for (const one of streams) {
    if (one.deltas.length === 0) times[at++] = endOf(one);
    for (const { time } of one.deltas) times[at++] = Math.min(time, now.getTime() / 1000);
  }
  return times.sort();
}

/**
 * By which time the age of each stream counts. One that goes on from another is as recent as that: its clock may have been
 * behind.
 */
function countedEnds(streams: readonly StreamCandidate[]): Map<StreamCandidate, number> {
  const ends = new Map(streams.map((one) => [one, endOf(one)]));
  const byRevision = streams
    .flatMap((one) => {
      const { first, last } = one;
      return first === undefined || last === undefined ? [] : [{ one, first, last }];
    })
    .sort((a, b) => a.first - b.first || a.last - b.last);
  let before: typeof byRevision = [];
  for (const { one, first, last } of byRevision) {
    before = before.filter((other) => other.last >= first - 1);
    for (const other of before) {
      const end = ends.get(other.one) ?? 0;
      if (other.first < first && end > (ends.get(one) ?? 0)) ends.set(one, end);
    }
    before.push({ one, first, last });
  }
  return ends;
}

/**
 * Keeps the streams that kept ones need, and adds the backups to `bases`. What is only needed keeps nothing itself: a base is
 * often made while a stream goes on, and one stream after the other would be kept for ever.
 */
function addNeeded(
  sorted: readonly StreamCandidate[],
  needs: LogNeeds<StreamCandidate>,
  bases: Map<string, Reason>,
  kept: ReadonlyMap<StreamCandidate, readonly Reason[]>,
  keep: (one: StreamCandidate, reason: Reason) => void,
): void {
  const byName = new Map(sorted.map((one) => [one.name.text, one]));
  // Newest first, so that the reason names the newest.
  for (const one of sorted.filter((other) => kept.has(other)).reverse()) {
    for (const name of needs.needsOf(one)) {
      const stream = byName.get(name);
      if (stream === undefined) {
        const words = `base of the deltas of ${one.name.text}`;
        if (!bases.has(name)) bases.set(name, { code: "delta-base", words });
        continue;
      }
      keep(stream, { code: "delta-base", words: `needed by the deltas of ${one.name.text}` });
    }
  }
}

function* protections(one: StreamCandidate, now: Date): Generator<Reason, void, void> {
  const { held, pinned, lockedUntil, foreign, problem, base, runs } = one;
  if (held) yield { code: "held", words: "held" };
  if (pinned) yield { code: "pinned", words: "it is being written" };
  if (lockedUntil !== undefined && lockedUntil > now) {
    yield { code: "locked", words: `locked until ${lockedUntil.toISOString()}` };
  }
  if (foreign !== undefined) yield { code: "foreign", words: "another program has a file in it" };
  else if (problem !== undefined) yield { code: "damaged", words: "damaged" };
  if (base?.state === "damaged") yield { code: "damaged", words: "its base is damaged" };
  // Left-overs alone are for the removal of unfinished snapshots.
  if (runs.length === 0 && base?.state !== "complete") {
    yield { code: "unfinished", words: "unfinished" };
  }
  if (isFuture(one, now)) yield { code: "future", words: "its time is in the future" };
}

function isFuture(one: StreamCandidate, now: Date): boolean {
  return endOf(one) * 1000 > now.getTime();
}
