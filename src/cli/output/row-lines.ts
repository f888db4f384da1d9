import type { HeldIn } from "../../operations/snapshots/events.js";

/** A snapshot or stream in a listing. */
interface Row {
  readonly name: string;
  readonly primary: string;
  /** Absent with one store. */
  readonly secondary?: string;
  readonly held?: readonly HeldIn[];
}

/** Its state in one store, or in both. */
export function stateText({ primary, secondary, held = [] }: Row): string {
  const isHeld = (place: HeldIn["in"]): string =>
    held.some((hold) => hold.in === place) ? " (held)" : "";
  const first = `${primary}${isHeld("primary")}`;
  if (secondary === undefined) return first;
  return `primary ${first}, secondary ${secondary}${isHeld("secondary")}`;
}

/** The line of a hold on it. */
export function holdLine({ name, secondary }: Row, { in: place, reason, heldAt }: HeldIn): string {
  const where = secondary === undefined ? "" : ` in the ${place}`;
  const since = heldAt === undefined ? "" : ` since ${heldAt}`;
  return `${name}: held${where}${since}${reason === undefined ? "" : `: ${reason}`}`;
}
