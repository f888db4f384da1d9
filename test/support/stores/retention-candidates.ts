import { snapshotName } from "../../../src/snapshots/name.js";
import type { Candidate } from "../../../src/snapshots/retention/candidate.js";

/** RFC 3339 → seconds since 1970. */
export function seconds(time: string): number {
  return Date.parse(time) / 1000;
}

/** A complete full backup. Without `id`, its time is its id. */
export function full(time: string, more: Partial<Candidate> & { id?: string } = {}): Candidate {
  return candidate("full", seconds(time), more.id ?? `full ${time}`, null, more);
}

/** A complete incremental over `base`. */
export function incremental(
  time: string,
  base: Candidate,
  more: Partial<Candidate> & { id?: string } = {},
): Candidate {
  const id = more.id ?? `incremental ${time}`;
  return candidate("incremental", seconds(time), id, base.facts?.id ?? "", more);
}

export function candidate(
  kind: "full" | "incremental",
  time: number,
  id: string,
  base: string | null,
  { state = "complete", ...more }: Partial<Candidate> = {},
): Candidate {
  const name = snapshotName({ kind, firstRevision: 0, lastRevision: 0, time });
  const facts = { id, base };
  const flags = { held: false, pinned: false, inProgress: false };
  return { name, facts, ...flags, ...more, state };
}
