import { randomBytes } from "node:crypto";
import { BackupToolError, InterruptedError, NotLeaderError } from "../../errors.js";
import { Moment } from "../../flow/moment.js";
import { raceAbort } from "../../flow/race-abort.js";
import { sleep } from "../../flow/sleep.js";
import { StoreError } from "../../snapstore/errors.js";
import type { WriteGuard } from "../../snapstore/layers/guarded.js";
import type { SnapStore } from "../../snapstore/store.js";
import {
  controlKey,
  listControlFiles,
  putControlFile,
  readControlFile,
  textField,
} from "./control-file.js";

const DIGITS = 12;
/** Numbers that may be taken while one is chosen, by other leaders or a listing that is late. */
const MAX_TRIES = 100;
/** Epochs that are kept, for people who look for what happened. */
const KEPT = 10;
/** Shortest time between two looks at the store for {@link StoreEpoch.confirm}, ms. */
const CONFIRM_EVERY_MS = 10_000;
/** Longest time of a look, ms. */
const LOOK_MS = 60_000;
/** How long a write waits for a look, ms. */
const PATIENCE_MS = 2_000;
/** Pause before an epoch's file that is missing is asked for again, ms: one answer may be wrong. */
const ASK_AGAIN_MS = 2_000;
const MAX_TOKEN_CHARACTERS = 64;

/**
 * The time of one leader, as the store knows it. etcd can be restored to the past, and two etcds can each have a leader;
 * of those, the store knows which one began last.
 */
export class StoreEpoch implements WriteGuard {
  readonly number: number;
  readonly #store: SnapStore;
  readonly #token: string;
  /** The last look at the store. */
  #asked = Moment.now();
  #looking: Promise<void> | undefined;
  #ended: NotLeaderError | undefined;
  readonly #lost = new AbortController();

  constructor(store: SnapStore, number: number, token: string) {
    this.#store = store;
    this.number = number;
    this.#token = token;
  }

  /** Aborts once a look has shown that this epoch has ended; the reason is the error. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  check(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  /**
   * Throws NOT_LEADER when the store has a later epoch. A store that does not answer is not waited for: the guard also
   * permits writes to another store, which must not stop with this one.
   */
  async confirm(signal: AbortSignal): Promise<void> {
    this.check();
    if (this.#looking === undefined && this.#asked.elapsedMs() >= CONFIRM_EVERY_MS) {
      this.#looking = this.#lookInTime().finally(() => {
        this.#looking = undefined;
      });
    }
    await raceAbort(this.#looking ?? Promise.resolve(), signal);
    this.check();
  }

  /** As {@link confirm}, and asks the store in any case. Throws StoreError too. */
  async look(signal: AbortSignal): Promise<void> {
    this.#asked = Moment.now();
    const newest = Math.max(0, ...(await epochNumbers(this.#store, signal)));
    const { name } = this.#store;
    if (newest > this.number) {
      this.#end(`another leader has begun epoch ${newest} in ${name}`);
    } else {
      const token = await this.#storedToken(signal);
      // Where a store does not keep create-only promises, the last of two writers has the number.
      if (token === undefined) this.#end(`the file of epoch ${this.number} is gone from ${name}`);
      else if (token !== this.#token) this.#end(`epoch ${this.number} in ${name} is another's`);
    }
    this.check();
  }

  /** Undefined if the file is missing; empty if it has none. */
  async #storedToken(signal: AbortSignal): Promise<string | undefined> {
    const key = epochKey(this.number);
    let found = await readControlFile(this.#store, key, signal);
    if (found === undefined) {
      await sleep(ASK_AGAIN_MS, signal);
      found = await readControlFile(this.#store, key, signal);
    }
    if (found === undefined) return undefined;
    return ("fields" in found && tokenOf(found.fields)) || "";
  }

  #end(why: string): void {
    this.#ended ??= new NotLeaderError(`${why}; this process had epoch ${this.number}`, {
      hint: "do two etcd clusters elect leaders for this store, or was etcd restored?",
    });
    this.#lost.abort(this.#ended);
  }

  /** A later answer counts as well. */
  async #lookInTime(): Promise<void> {
    const look = this.look(AbortSignal.timeout(LOOK_MS)).catch((error) => {
      const unanswered = error instanceof StoreError || error instanceof InterruptedError;
      if (!unanswered) throw error;
    });
    const patience = new AbortController();
    const waited = sleep(PATIENCE_MS, patience.signal).catch(() => {});
    try {
      await Promise.race([look, waited]);
    } finally {
      patience.abort();
    }
  }
}

/** Begins the next epoch, or throws NO_EPOCH. From then on the leader of the one before is stopped by its own {@link StoreEpoch}. */
export async function takeEpoch(
  store: SnapStore,
  identity: string,
  signal: AbortSignal,
): Promise<StoreEpoch> {
  const numbers = await epochNumbers(store, signal);
  const token = randomBytes(16).toString("hex");
  const startedAt = new Date().toISOString();
  const first = Math.max(0, ...numbers) + 1;
  for (let number = first; number < first + MAX_TRIES && number < 10 ** DIGITS; number++) {
    try {
      const fields = { identity, token, startedAt };
      await putControlFile(store, epochKey(number), fields, { ifAbsent: true, signal });
    } catch (error) {
      if (error instanceof StoreError && error.code === "STORE_EXISTS") continue;
      throw error;
    }
    await removeOld(store, numbers, signal);
    return new StoreEpoch(store, number, token);
  }
  throw new BackupToolError("NO_EPOCH", `no epoch after ${first - 1} is free in ${store.name}`, {
    hint: `remove the objects below ${controlKey("epochs", "")} there, while no server runs`,
  });
}

function epochKey(number: number): string {
  return controlKey("epochs", String(number).padStart(DIGITS, "0"));
}

async function epochNumbers(store: SnapStore, signal: AbortSignal): Promise<number[]> {
  const files = await listControlFiles(store, "epochs", signal);
  return files.filter(({ path }) => /^\d{12}$/.test(path)).map(({ path }) => Number(path));
}

/** The newest is never removed, so no number is used twice. */
async function removeOld(
  store: SnapStore,
  numbers: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  for (const old of numbers.toSorted((a, b) => a - b).slice(0, -KEPT)) {
    try {
      await store.delete(epochKey(old), signal);
    } catch (error) {
      // Where every new object is locked, all of them stay.
      if (!(error instanceof StoreError)) throw error;
    }
  }
}

function tokenOf(fields: Readonly<Record<string, unknown>>): string | undefined {
  return textField(fields, "token", MAX_TOKEN_CHARACTERS);
}
