import type { SnapStore } from "../../snapstore/store.js";
import { controlKey, putControlFile, readControlFile, textField } from "./control-file.js";

/** How far the reading back of all stored data has come. It is kept in the store, so any server goes on with it. */
export interface ScrubProgress {
  /** The part that was read last, from 1. */
  readonly part: number;
  /** How many parts all data is divided into. */
  readonly parts: number;
  /** End of the last run, RFC 3339. */
  readonly at: string;
  /** Damaged files that the last run over all parts has found. */
  readonly damaged: number;
}

const KEY = controlKey("scrub", "progress");
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
  const [part, parts, damaged] = ["part", "parts", "damaged"].map((name) => Number(fields[name]));
  const at = textField(fields, "at", MAX_TIME_CHARACTERS);
  if (!isCount(part) || !isCount(parts) || !isCount(damaged) || part > parts) return undefined;
  if (at === undefined || Number.isNaN(Date.parse(at))) return undefined;
  return { part, parts, at, damaged };
}

export function writeScrubProgress(
  store: SnapStore,
  progress: ScrubProgress,
  signal: AbortSignal,
): Promise<void> {
  return putControlFile(store, KEY, { ...progress }, { signal });
}

function isCount(value: number | undefined): value is number {
  return Number.isSafeInteger(value) && (value ?? -1) >= 0;
}
