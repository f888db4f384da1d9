import type { Hold } from "../../snapshots/holds.js";
import type { HeldIn } from "./events.js";

/** The stores in which a name is held; nothing if in none. */
export function heldIn(
  name: string,
  primary: ReadonlyMap<string, Hold>,
  secondary: ReadonlyMap<string, Hold> = new Map(),
): { held?: HeldIn[] } {
  const places = [
    ["primary", primary],
    ["secondary", secondary],
  ] as const;
  const held = places.flatMap(([place, holds]): HeldIn[] => {
    const hold = holds.get(name);
    if (hold === undefined) return [];
    const { reason, heldAt } = hold;
    return [{ in: place, ...(reason && { reason }), ...(heldAt && { heldAt }) }];
  });
  return held.length === 0 ? {} : { held };
}
