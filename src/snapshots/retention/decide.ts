import { ChainLinks } from "../chain-links.js";
import { compareSnapshotNames } from "../name.js";
import { Calendar } from "./calendar.js";
import type { Candidate } from "./candidate.js";
import type { Evaluated, PolicyRules } from "./evaluated.js";
import { exponential } from "./exponential.js";
import { keep } from "./keep.js";
import { KeptSnapshots } from "./kept-snapshots.js";
import { limitBased } from "./limit-based.js";
import type { RetentionPolicy } from "./policy.js";
import { NO_RULE, type Reason } from "./reason.js";

export interface Decision {
  readonly snapshot: Candidate;
  readonly keep: boolean;
  /** At least one. */
  readonly reasons: readonly Reason[];
}

/**
 * Decides about all snapshots of one store, oldest first. The policy decides about those that can be restored from the
 * store. All others, those that are protected, and all that a kept one needs are kept, whatever the policy.
 *
 * @param now a snapshot whose name has a later time is kept
 * @param timeZone of hours, days, weeks, months and years: a name of the IANA database
 */
export function decide(
  candidates: readonly Candidate[],
  policy: RetentionPolicy,
  now: Date,
  timeZone: string,
): Decision[] {
  const sorted = [...candidates].sort((a, b) => compareSnapshotNames(a.name, b.name));
  const links = new ChainLinks(sorted);
  const kept = new KeptSnapshots(links);
  for (const one of sorted) {
    for (const reason of protections(one, links, now)) kept.add(one, reason);
  }
  const evaluated = evaluatedOf(sorted, links, now);
  const [newest] = evaluated;
  if (newest !== undefined) {
    kept.add(newest.candidate, { code: "newest-chain", words: "the newest that can be restored" });
  }
  for (const [{ candidate }, reason] of rules(policy, evaluated, new Calendar(timeZone))) {
    kept.add(candidate, reason);
  }
  kept.addNeeded(sorted);
  return sorted.map((snapshot) => {
    const reasons = kept.reasonsOf(snapshot);
    return { snapshot, keep: reasons !== undefined, reasons: reasons ?? [NO_RULE] };
  });
}

function* protections(
  one: Candidate,
  links: ChainLinks<Candidate>,
  now: Date,
): Generator<Reason, void, void> {
  const { state, foreign, held, pinned, forDeltas, lockedUntil } = one;
  if (held) yield { code: "held", words: "held" };
  if (pinned) yield { code: "pinned", words: "a backup or copy that is being made needs it" };
  if (forDeltas !== undefined) yield forDeltas;
  if (lockedUntil !== undefined && lockedUntil > now) {
    yield { code: "locked", words: `locked until ${lockedUntil.toISOString()}` };
  }
  if (foreign !== undefined) yield { code: "foreign", words: "another program has a file in it" };
  if (state !== "complete") yield { code: state, words: state };
  else if (links.placeOf(one) === undefined) {
    yield { code: "base-missing", words: "a base below it is missing or damaged" };
  }
  if (isFuture(one, now)) yield { code: "future", words: "its name is in the future" };
}

/** Newest first. A backup with several names counts once, under the newest of them. */
function evaluatedOf(
  sorted: readonly Candidate[],
  links: ChainLinks<Candidate>,
  now: Date,
): Evaluated[] {
  const found = new Map<string, Evaluated>();
  for (const candidate of sorted.toReversed()) {
    const { facts, name } = candidate;
    const place = links.placeOf(candidate);
    if (facts === undefined || place === undefined || isFuture(candidate, now)) continue;
    if (found.has(facts.id)) continue;
    found.set(facts.id, { candidate, time: name.time, id: facts.id, full: place.full });
  }
  return [...found.values()];
}

function isFuture({ name }: Candidate, now: Date): boolean {
  return name.time * 1000 > now.getTime();
}

function rules(
  policy: RetentionPolicy,
  snapshots: readonly Evaluated[],
  calendar: Calendar,
): ReturnType<PolicyRules<RetentionPolicy>> {
  switch (policy.kind) {
    case "exponential":
      return exponential(policy, snapshots, calendar);
    case "limit-based":
      return limitBased(policy, snapshots, calendar);
    case "keep":
      return keep(policy, snapshots, calendar);
  }
}
