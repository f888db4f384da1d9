import type { StoredSnapshot } from "../../snapshots/catalog.js";

export interface CopyLimits {
  /** The newest ones; a full backup and its incrementals count as one. All by default. */
  readonly maxBackups?: number | undefined;
  /** None made before, but the bases of newer ones. */
  readonly since?: Date | undefined;
}

/**
 * The complete snapshots of the source to copy, each base before its incrementals. The bases of chosen snapshots are
 * chosen too.
 */
export function copyPlan(
  snapshots: readonly StoredSnapshot[],
  limits: CopyLimits,
): StoredSnapshot[] {
  const complete = snapshots.filter(({ state }) => state === "complete");
  const byId = new Map(complete.map((one) => [one.facts?.id, one]));
  const chainOf = (one: StoredSnapshot): StoredSnapshot[] => {
    const chain: StoredSnapshot[] = [];
    // A store can be hostile: a chain may be a ring.
    for (let at: StoredSnapshot | undefined = one; at !== undefined && !chain.includes(at); ) {
      chain.unshift(at);
      at = at.facts?.base == null ? undefined : byId.get(at.facts.base);
    }
    return chain;
  };
  const roots = new Set<StoredSnapshot | undefined>();
  const chosen = new Set<StoredSnapshot>();
  // From the newest on.
  for (const one of complete.toReversed()) {
    const chain = chainOf(one);
    const [root] = chain;
    if (!roots.has(root) && roots.size === limits.maxBackups) continue;
    if (limits.since !== undefined && one.name.time * 1000 < limits.since.getTime()) continue;
    roots.add(root);
    for (const member of chain) chosen.add(member);
  }
  const ordered = new Set<StoredSnapshot>();
  for (const one of complete) {
    if (chosen.has(one)) for (const member of chainOf(one)) ordered.add(member);
  }
  return [...ordered];
}
