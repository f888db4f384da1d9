import type { StoredSnapshot } from "../../snapshots/catalog.js";

export interface CopyLimits {
  /** Maximum number, newest first; a full backup and its incrementals count as one. Default: all. */
  readonly maxBackups?: number | undefined;
  /** Skip older ones, except for the bases of newer ones. */
  readonly since?: Date | undefined;
}

/**
 * The complete snapshots of the source to copy, each base before its incrementals. Bases of selected snapshots are
 * selected too.
 */
export function copyPlan(
  snapshots: readonly StoredSnapshot[],
  limits: CopyLimits,
): StoredSnapshot[] {
  const complete = snapshots.filter(({ state }) => state === "complete");
  const byId = new Map(complete.map((one) => [one.facts?.id, one]));
  const chainOf = (one: StoredSnapshot): StoredSnapshot[] => {
    const chain: StoredSnapshot[] = [];
    // In a hostile store a chain may be a cycle.
    for (let at: StoredSnapshot | undefined = one; at !== undefined && !chain.includes(at); ) {
      chain.unshift(at);
      at = at.facts?.base == null ? undefined : byId.get(at.facts.base);
    }
    return chain;
  };
  const roots = new Set<StoredSnapshot | undefined>();
  const selected = new Set<StoredSnapshot>();
  // Newest first.
  for (const one of complete.toReversed()) {
    const chain = chainOf(one);
    const [root] = chain;
    if (!roots.has(root) && roots.size === limits.maxBackups) continue;
    if (limits.since !== undefined && one.name.time * 1000 < limits.since.getTime()) continue;
    roots.add(root);
    for (const member of chain) selected.add(member);
  }
  const ordered = new Set<StoredSnapshot>();
  for (const one of complete) {
    if (selected.has(one)) for (const member of chainOf(one)) ordered.add(member);
  }
  return [...ordered];
}
