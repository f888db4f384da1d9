import { ChainLinks } from "../../snapshots/chain-links.js";
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
  const links = new ChainLinks(complete);
  const newest = candidates.findLast((one) => links.placeOf(one) !== undefined);
  if (newest === undefined) return false;
  return complete
    .filter(({ facts }) => facts?.id === newest.facts?.id)
    .every(({ name }) => gone.has(name.text));
}
