import { begunAt } from "./begun-at.js";
import type { StoredSnapshot } from "./catalog.js";

/** Clocks of two machines may differ by as much, ms. */
const CLOCK_TOLERANCE_MS = 5 * 60_000;

/**
 * When a snapshot was made, ms, by a clock that agrees with `now`; undefined for one from the future. A name is later
 * than all names before it, also after a clock was ahead: then the start in the manifest is the right time.
 */
export function credibleTime(
  { name, facts }: Pick<StoredSnapshot, "name" | "facts">,
  now: number,
): number | undefined {
  const time = begunAt(facts?.startedAt ?? "", name.time);
  return time <= now + CLOCK_TOLERANCE_MS ? Math.min(time, now) : undefined;
}
