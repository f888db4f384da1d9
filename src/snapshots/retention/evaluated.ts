import type { Calendar } from "./calendar.js";
import type { Candidate } from "./candidate.js";
import type { Reason } from "./reason.js";

/** A snapshot that a policy decides about: it can be restored from its store, and its name is not in the future. */
export interface Evaluated {
  readonly candidate: Candidate;
  /** Seconds since 1970, from the name. */
  readonly time: number;
  /** Id of the backup. */
  readonly id: string;
  /** Id of the full backup of its chain; its own for a full backup. */
  readonly full: string;
}

/** Yields each snapshot that a policy keeps, with the reason; the same one for each of several reasons. */
export type PolicyRules<P> = (
  policy: P,
  /** Newest first. */
  snapshots: readonly Evaluated[],
  calendar: Calendar,
) => Iterable<readonly [Evaluated, Reason]>;

export function isFull({ id, full }: Evaluated): boolean {
  return id === full;
}
