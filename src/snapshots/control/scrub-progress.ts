import type { SnapStore } from "../../snapstore/store.js";
import { controlKey, putControlFile, readControlFile, textField } from "./control-file.js";
import { keepReserve } from "./reserve.js";

/** How far the reading back of all stored data has come. It is kept in the store, so any server goes on with it. */
export interface ScrubProgress {
  /** The part that was read last, from 1. */
  readonly part: number;
  /** How many parts all data is divided into. */
  readonly parts: number;
  /** End of the last run, RFC 3339. */
  readonly at: string;
  /** Damaged files by the part that they were found in, when it was read last. Parts without damage are left out. */
  readonly damaged: ReadonlyMap<number, number>;
}

/** Damaged files of all parts. */
export function damagedFiles({ damaged }: ScrubProgress): number {
  return [...damaged.values()].reduce((sum, count) => sum + count, 0);
}

const KEY = controlKey("scrub", "progress");
/** The file stays within its bounds. */
const MAX_DAMAGED_PARTS = 1000;
/** Longer than any time. */
const MAX_TIME_CHARACTERS = 64;

/** Undefined before the first run, and where what is stored makes no sense. */
export async function readScrubProgress(
  store: SnapStore,
  signal: AbortSignal,
): Promise<ScrubProgress | undefined> {
  const content = await readControlFile(store, KEY, signal);
  if (content === undefined || !("fields" in content)) return undefined;
  const { fields } = content;
  const { part, parts } = fields;
  const at = textField(fields, "at", MAX_TIME_CHARACTERS);
  if (!isCount(part) || !isCount(parts) || part < 1 || part > parts) return undefined;
  if (at === undefined || Number.isNaN(Date.parse(at))) return undefined;
  return { part, parts, at, damaged: damagedByPart(fields["damaged"], parts) };
}

export async function writeScrubProgress(
  store: SnapStore,
  progress: ScrubProgress,
  signal: AbortSignal,
): Promise<void> {
  const damaged = Object.fromEntries([...progress.damaged].slice(0, MAX_DAMAGED_PARTS));
  await putControlFile(store, KEY, { ...progress, damaged }, { signal });
  // A leader has an epoch in the primary alone, and the secondary may have no deletion before it is full.
  await keepReserve(store, signal);
}

function damagedByPart(given: unknown, parts: number): Map<number, number> {
  const entries = typeof given === "object" && given !== null ? Object.entries(given) : [];
  return new Map(
    entries
      .map(([part, count]) => [Number(part), count] as const)
      .filter(([part, count]) => isCount(part) && part >= 1 && part <= parts && isCount(count)),
  );
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
