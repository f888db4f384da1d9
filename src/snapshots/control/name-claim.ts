import { throwIfAborted } from "../../errors.js";
import { Moment } from "../../flow/moment.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { SnapshotName } from "../name.js";
import { putListedFile, removeControlFile } from "./listed-file.js";

/** A name that took longer to claim may be older than other backups by now, ms. */
const MAX_CLAIM_MS = 60_000;
/** Largest first step to a later second after a collision; doubles with each. */
const FIRST_STEP = 2;
const MAX_STEP = 64;

/** A name that no other process writes under. */
export interface NameClaim {
  readonly name: SnapshotName;
  /**
   * For a backup that is complete, whose files say that the name is used. Otherwise the claim stays for a day: a call
   * of a run that failed may still reach the store. Never throws.
   */
  remove(): Promise<void>;
}

export interface ClaimOptions {
  /** Earliest time of the name, seconds since 1970; asked again when claiming it took long. */
  readonly firstTime: () => Promise<number>;
  readonly nameAt: (time: number) => SnapshotName;
  readonly signal: AbortSignal;
  /** From 0 up to 1. */
  readonly random?: () => number;
}

/**
 * Claims a free name. A claim is put before the name is looked up: of two processes that claim one name at least one
 * sees the other, and moves on to a later second. So no two write under one name, also where a store does not keep
 * create-only promises.
 */
export async function claimName(store: SnapStore, options: ClaimOptions): Promise<NameClaim> {
  const { firstTime, nameAt, signal, random = Math.random } = options;
  let begun = Moment.now();
  let time = await firstTime();
  let step = FIRST_STEP;
  for (;;) {
    throwIfAborted(signal);
    if (begun.elapsedMs() > MAX_CLAIM_MS) {
      begun = Moment.now();
      time = Math.max(time, await firstTime());
    }
    const name = nameAt(time);
    if (!(await isFree(store, name.text, signal))) {
      time++;
      continue;
    }
    const { own, others } = await putListedFile(store, "names", `${name.text}/`, {}, signal);
    const late = begun.elapsedMs() > MAX_CLAIM_MS;
    if (others.length === 0 && !late && (await isFree(store, name.text, signal))) {
      return { name, remove: async () => void (await removeControlFile(store, own.key)) };
    }
    await removeControlFile(store, own.key);
    time += 1 + Math.floor(random() * step);
    step = Math.min(MAX_STEP, 2 * step);
  }
}

/** A clock may be wrong by so much unnoticed, ms. */
const CLOCK_TOLERANCE_MS = 60_000;

/**
 * Keeps the name of a snapshot that is about to be deleted from being chosen again: calls of its deletion may still be
 * under way when a new backup writes. Names of the past are never chosen.
 *
 * @param now by the clock of the store
 */
export async function retireName(
  store: SnapStore,
  name: SnapshotName,
  now: Date,
  signal: AbortSignal,
): Promise<void> {
  if (name.time * 1000 < now.getTime() - CLOCK_TOLERANCE_MS) return;
  await putListedFile(store, "names", `${name.text}/`, {}, signal);
}

async function isFree(store: SnapStore, name: string, signal: AbortSignal): Promise<boolean> {
  const { objects } = await store.list(`${name}/`, { limit: 1, signal });
  if (objects.length > 0) return false;
  // An object with exactly this name is of another tool. In Swift, all objects below it may be its parts.
  return (await store.head(name, signal)) === undefined;
}
