import type { StoredSnapshot } from "../../snapshots/catalog.js";
import { ChainLinks } from "../../snapshots/chain-links.js";
import { credibleTime } from "../../snapshots/credible-time.js";
import { heldAbove } from "../../snapshots/holds.js";
import { compareSnapshotNames } from "../../snapshots/name.js";
import {
  type NewestRestorable,
  type SiteStatus,
  TIMELINE_LENGTH,
  type TimelineEntry,
  type VerificationStatus,
} from "./site-status.js";

/** What is known of one store. */
export interface SiteFacts {
  /** The store in messages. */
  readonly store: string;
  readonly breaker: SiteStatus["breaker"];
  /** The last listing that succeeded, in any order; empty before the first one. */
  readonly listed: readonly StoredSnapshot[];
  /** When that listing was made. */
  readonly checkedAt?: Date | undefined;
  /** Why the store could not be listed after that. */
  readonly error?: string | undefined;
  /** Names of the snapshots that have a hold. */
  readonly holds: ReadonlySet<string>;
  readonly verification?: VerificationStatus | undefined;
  /** The time that ages are counted from. */
  readonly now: Date;
}

/** The state of one store. */
export function siteStatus(site: SiteFacts): SiteStatus {
  const { store, breaker, holds, checkedAt, error, verification, now } = site;
  const newestFirst = site.listed.toSorted((a, b) => compareSnapshotNames(b.name, a.name));
  const links = new ChainLinks(newestFirst);
  const held = heldSnapshots(newestFirst, holds);
  const count = (state: StoredSnapshot["state"]): number =>
    newestFirst.filter((snapshot) => snapshot.state === state).length;
  const newestFull = newestFirst.find(
    ({ state, name }) => state === "complete" && name.kind === "full",
  );
  return {
    store,
    breaker,
    reachable: error === undefined && checkedAt !== undefined,
    error,
    checkedAt: checkedAt?.toISOString(),
    newestRestorable: newestOf(
      newestFirst.filter((snapshot) => links.placeOf(snapshot) !== undefined),
      now,
    ),
    newestFull: newestFull?.name.text,
    snapshots: {
      complete: count("complete"),
      unfinished: count("unfinished"),
      damaged: count("damaged"),
      held: held.size,
    },
    bytes: newestFirst.reduce((sum, snapshot) => sum + bytesOf(snapshot), 0),
    timeline: newestFirst
      .slice(0, TIMELINE_LENGTH)
      .map((snapshot) => timelineEntry(snapshot, held, links)),
    verification,
  };
}

/** Snapshots with a hold and their bases, which the hold keeps as well. */
function heldSnapshots(
  listed: readonly StoredSnapshot[],
  holds: ReadonlySet<string>,
): ReadonlySet<string> {
  const names = listed.map(({ name }) => name.text).filter((name) => holds.has(name));
  return new Set([...names, ...heldAbove(listed, holds).keys()]);
}

/** The first of `restorable`, which are sorted from the newest on. */
function newestOf(restorable: readonly StoredSnapshot[], now: Date): NewestRestorable | undefined {
  const [newest] = restorable;
  if (newest === undefined) return undefined;
  return {
    snapshot: newest.name.text,
    time: timeOf(newest),
    ageSeconds: ageSeconds(restorable, now.getTime()),
  };
}

/**
 * Age of the newest snapshot whose time is credible. While a clock was ahead, snapshots got times in the future: age 0
 * would hide for as long that there are no new ones. The next older one has an age that is too high rather than too low.
 */
function ageSeconds(newestFirst: readonly StoredSnapshot[], now: number): number {
  for (const snapshot of newestFirst) {
    const time = credibleTime(snapshot, now);
    if (time !== undefined) return Math.floor((now - time) / 1000);
  }
  return 0;
}

function timelineEntry(
  snapshot: StoredSnapshot,
  held: ReadonlySet<string>,
  links: ChainLinks<StoredSnapshot>,
): TimelineEntry {
  const { name, state, facts } = snapshot;
  // Of several names with the base, one that can be restored.
  const bases = links.basesOf(snapshot);
  const base = bases.find((one) => links.placeOf(one) !== undefined) ?? bases[0];
  return {
    name: name.text,
    kind: name.kind,
    time: timeOf(snapshot),
    state,
    base: facts?.base ? (base?.name.text ?? "missing") : undefined,
    bytes: bytesOf(snapshot),
    held: held.has(name.text),
  };
}

function timeOf({ name }: StoredSnapshot): string {
  return new Date(name.time * 1000).toISOString();
}

function bytesOf({ facts, left }: StoredSnapshot): number {
  return facts?.bytes ?? left?.bytes ?? 0;
}
