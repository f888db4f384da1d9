import type { StoredSnapshot } from "../../snapshots/catalog.js";

/**
 * Whether the newest of these snapshots that can be restored has gone, under each of its names.
 *
 * @param complete oldest first, with all bases
 * @param candidates some of them, oldest first
 */
export function isNewestGone(
  complete: readonly StoredSnapshot[],
  candidates: readonly StoredSnapshot[],
  gone: ReadonlySet<string>,
): boolean {
  const restorable = restorableOf(complete);
  const newest = candidates.findLast((one) => restorable.has(one));
  if (newest === undefined) return false;
  return complete
    .filter(({ facts }) => facts?.id === newest.facts?.id)
    .every(({ name }) => gone.has(name.text));
}

/** Those whose bases are all in the list. Ids may repeat, and bases form a ring. */
function restorableOf(complete: readonly StoredSnapshot[]): Set<StoredSnapshot> {
  const byBase = new Map<string | null | undefined, StoredSnapshot[]>();
  for (const one of complete) {
    const base = one.facts?.base;
    const others = byBase.get(base);
    if (others === undefined) byBase.set(base, [one]);
    else others.push(one);
  }
  const restorable = new Set<StoredSnapshot>(byBase.get(null));
  // Grows while it is iterated.
  for (const { facts } of restorable) {
    for (const over of byBase.get(facts?.id) ?? []) restorable.add(over);
  }
  return restorable;
}
