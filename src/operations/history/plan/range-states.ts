import { mergeRanges, type RevisionRange } from "./plan-history.js";

/**
 * What is known of revisions. `proven`: a later raw snapshot has the same as the log. `present`: every site has a good delta,
 * or a raw snapshot still holds them. `delayed`: only one of two sites has it. `lost`: none has.
 */
export type RangeState = "proven" | "present" | "delayed" | "lost";

export interface RangeFacts {
  /** Revisions to judge. */
  readonly all: RevisionRange;
  /** The revisions of good deltas, for each site. */
  readonly sites: readonly (readonly RevisionRange[])[];
  /** Revisions that raw snapshots still hold, whether a delta has them or not. */
  readonly inBases: readonly RevisionRange[];
  readonly proven: readonly RevisionRange[];
}

/** Judges all revisions; ranges of one state in a row are one. */
export function rangeStates({
  all,
  sites,
  inBases,
  proven,
}: RangeFacts): (RevisionRange & { readonly state: RangeState })[] {
  const merged = sites.map((ranges) => mergeRanges(ranges));
  const bases = mergeRanges(inBases);
  const isProven = mergeRanges(proven);
  const starts = new Set([all.first]);
  for (const { first, last } of [...merged, bases, isProven].flat()) {
    for (const start of [first, last + 1]) {
      if (start > all.first && start <= all.last) starts.add(start);
    }
  }
  const ordered = [...starts].sort((a, b) => a - b);
  const judged: (RevisionRange & { readonly state: RangeState })[] = [];
  for (const [i, first] of ordered.entries()) {
    const last = (ordered[i + 1] ?? all.last + 1) - 1;
    if (last < first) continue;
    const state = stateOf(first, merged, bases, isProven);
    const before = judged.at(-1);
    if (before?.state === state) judged[judged.length - 1] = { ...before, last };
    else judged.push({ first, last, state });
  }
  return judged;
}

function stateOf(
  revision: number,
  sites: readonly (readonly RevisionRange[])[],
  bases: readonly RevisionRange[],
  proven: readonly RevisionRange[],
): RangeState {
  const at = sites.filter((ranges) => contains(ranges, revision)).length;
  if (at === 0) return contains(bases, revision) ? "present" : "lost";
  if (at < sites.length) return "delayed";
  return contains(proven, revision) ? "proven" : "present";
}

/** Ranges are in order and do not overlap. */
function contains(ranges: readonly RevisionRange[], revision: number): boolean {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle];
    if (range === undefined) return false;
    if (revision < range.first) high = middle - 1;
    else if (revision > range.last) low = middle + 1;
    else return true;
  }
  return false;
}
