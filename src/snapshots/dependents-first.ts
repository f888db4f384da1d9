import type { LinkedSnapshot } from "./chain-links.js";
import { compareSnapshotNames } from "./name.js";

/**
 * Snapshots in the order of a deletion: each after all of them that are based on it, else the newest first. A base may
 * have a later name than an incremental over it, where a clock was set back. The rest of a cycle comes last.
 */
export function dependentsFirst<S extends Pick<LinkedSnapshot, "name" | "facts">>(
  snapshots: readonly S[],
): S[] {
  const byId = new Map<string, S[]>();
  /** How many snapshots are over a base, and not in the order yet. */
  const over = new Map<string, number>();
  for (const one of snapshots) {
    if (one.facts === undefined) continue;
    const { id, base } = one.facts;
    byId.set(id, [...(byId.get(id) ?? []), one]);
    if (base !== null) over.set(base, (over.get(base) ?? 0) + 1);
  }
  const oldestFirst = snapshots.toSorted((a, b) => compareSnapshotNames(a.name, b.name));
  const ordered = new Set<S>();
  const ready = oldestFirst.filter(({ facts }) => facts === undefined || !over.has(facts.id));
  for (let one = ready.pop(); one !== undefined; one = ready.pop()) {
    ordered.add(one);
    const base = one.facts?.base ?? undefined;
    if (base === undefined) continue;
    const left = (over.get(base) ?? 0) - 1;
    over.set(base, left);
    if (left === 0) ready.push(...(byId.get(base) ?? []));
  }
  return [...ordered, ...oldestFirst.filter((one) => !ordered.has(one))];
}
