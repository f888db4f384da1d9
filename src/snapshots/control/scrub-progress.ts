import { randomBytes } from "node:crypto";
import { inParallel } from "../../flow/in-parallel.js";
import type { SnapStore } from "../../snapstore/store.js";
import {
  type ControlContent,
  controlKey,
  listControlFiles,
  putControlFile,
  readControlFile,
  textField,
} from "./control-file.js";
import { removeControlFile } from "./listed-file.js";
import { keepReserve, usingReserve } from "./reserve.js";

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

/** The file stays within its bounds. */
const MAX_DAMAGED_PARTS = 1000;
/** Longer than any time. */
const MAX_TIME_CHARACTERS = 64;
/** Files that make no sense are passed over, up to this number. */
const MAX_READ = 20;

/** Undefined before the first run, and where what is stored makes no sense. */
export async function readScrubProgress(
  store: SnapStore,
  signal: AbortSignal,
): Promise<ScrubProgress | undefined> {
  const newestFirst = (await listControlFiles(store, "scrub", signal)).sort(
    (a, b) => b.modified.getTime() - a.modified.getTime(),
  );
  let newest: ScrubProgress | undefined;
  let modified: number | undefined;
  for (const file of newestFirst.slice(0, MAX_READ)) {
    // Stores count in seconds: of files with one time the content says which is the newest.
    if (newest !== undefined && file.modified.getTime() !== modified) break;
    const progress = progressIn(await readControlFile(store, file.key, signal));
    if (progress === undefined) continue;
    modified = file.modified.getTime();
    if (newest === undefined || Date.parse(progress.at) > Date.parse(newest.at)) newest = progress;
  }
  return newest;
}

/** Puts a new file, and removes the others: a store may forbid to overwrite one, or to remove it for now. */
export async function writeScrubProgress(
  store: SnapStore,
  progress: ScrubProgress,
  signal: AbortSignal,
): Promise<void> {
  const before = await listControlFiles(store, "scrub", signal);
  const damaged = Object.fromEntries([...progress.damaged].slice(0, MAX_DAMAGED_PARTS));
  const key = controlKey("scrub", randomBytes(8).toString("hex"));
  const put = () =>
    putControlFile(store, key, { ...progress, damaged }, { ifAbsent: true, signal });
  await usingReserve(store, put, signal);
  const oldestFirst = before.sort((a, b) => a.modified.getTime() - b.modified.getTime());
  await inParallel(oldestFirst.slice(0, MAX_REMOVED), WINDOW, async (file) => {
    await removeControlFile(store, file.key);
  });
  // A leader has an epoch in the primary alone, and the secondary may have no deletion before it is full.
  await keepReserve(store, signal);
}

/** More than remain of a run: what could not be removed for a time is removed in the end. */
const MAX_REMOVED = 100;
const WINDOW = 8;

function progressIn(content: ControlContent | undefined): ScrubProgress | undefined {
  if (content === undefined || !("fields" in content)) return undefined;
  const { fields } = content;
  const { part, parts } = fields;
  const at = textField(fields, "at", MAX_TIME_CHARACTERS);
  if (!isCount(part) || !isCount(parts) || part < 1 || part > parts) return undefined;
  if (at === undefined || Number.isNaN(Date.parse(at))) return undefined;
  return { part, parts, at, damaged: damagedByPart(fields["damaged"], parts) };
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
