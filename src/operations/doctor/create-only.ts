import { randomBytes } from "node:crypto";
import { sleep } from "../../flow/sleep.js";
import { probeKey } from "../../snapshots/own-keys.js";
import { StoreError } from "../../snapstore/errors.js";
import { hasContent } from "../../snapstore/object-checks.js";
import type { SnapStore, StoreFacts } from "../../snapstore/store.js";
import { type AreaChecks, step, wordsOf } from "./check.js";

const RACES = 5;
const PROBE_BYTES = 64;
/** Radosgw 16 has shown 4 of 200 deleted objects for a moment, where versioning was suspended. */
const LATE_MS = 1000;

interface Counts {
  /** Races that both writers won: the store has what the last one wrote. */
  both: number;
  /** Objects that were still found after two clients had deleted them. */
  left: number;
  /** Objects that were found right after that, and not a second later. */
  late: number;
}

/**
 * Races two clients that each create the same object if it is absent, and then delete it. What a server supports differs
 * by its version and by the settings of the bucket, and some accept the condition and ignore it: only a race tells.
 * All probes are removed.
 *
 * @param open opens a second client of the store
 */
export async function raceWriters(
  checks: AreaChecks,
  one: SnapStore,
  open: () => Promise<SnapStore>,
  facts: StoreFacts | undefined,
  signal: AbortSignal,
): Promise<void> {
  // As for the probe: what is put there could not be removed again.
  if (facts?.objectLock?.everyObject !== undefined) return;
  const keys = Array.from({ length: RACES }, () => probeKey(randomBytes(8).toString("hex")));
  const counts: Counts = { both: 0, left: 0, late: 0 };
  let other: SnapStore | undefined;
  try {
    other = await step(signal, open);
    const stores = [one, other] as const;
    for (const key of keys) {
      await step(signal, (inner) => raceCreation(stores, key, counts, inner));
      await step(signal, (inner) => raceDeletion(stores, key, counts, inner));
    }
    report(checks, counts);
  } catch (error) {
    const { detail, hint } = wordsOf(error, one.name);
    checks.failed("create-only", detail, hint);
  } finally {
    await Promise.all(
      keys.map((key) => step(undefined, (inner) => one.delete(key, inner)).catch(() => {})),
    );
    await other?.close();
  }
}

function report(checks: AreaChecks, { both, left, late }: Counts): void {
  if (left > 0) {
    checks.failed(
      "delete by two",
      `${left} of ${RACES} objects were still there after two clients had deleted them`,
      "is a cache between here and the store?",
    );
  } else if (late > 0) {
    checks.warning(
      "delete by two",
      `${late} of ${RACES} objects were there for a moment after two clients had deleted them`,
      "radosgw does so in a bucket whose versioning is suspended",
    );
  }
  checks.ok(
    "create-only",
    both === 0
      ? `kept: of two writers that create one object, one is rejected (${RACES} races)`
      : `not kept: two writers that create one object both succeed (${both} of ${RACES} races); backups rely on names alone`,
  );
}

async function raceCreation(
  stores: readonly SnapStore[],
  key: string,
  counts: Counts,
  signal: AbortSignal,
): Promise<void> {
  const contents = stores.map(() => randomBytes(PROBE_BYTES));
  const won = await Promise.all(
    stores.map(async (store, i) => {
      try {
        await store.put(key, contents[i] ?? Buffer.alloc(0), { ifAbsent: true, signal });
        return true;
      } catch (error) {
        if (error instanceof StoreError && error.code === "STORE_EXISTS") return false;
        throw error;
      }
    }),
  );
  if (won.every(Boolean)) {
    counts.both++;
    return;
  }
  // A rejected writer must not have changed what the other one wrote.
  const [first] = stores;
  const winner = contents[won.indexOf(true)];
  if (first === undefined || winner === undefined) return;
  if (!(await hasContent(first, key, winner, signal))) counts.both++;
}

async function raceDeletion(
  stores: readonly SnapStore[],
  key: string,
  counts: Counts,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(stores.map((store) => store.delete(key, signal)));
  const isFound = async (): Promise<boolean> => {
    const found = await Promise.all(stores.map((store) => store.head(key, signal)));
    return found.some((object) => object !== undefined);
  };
  if (!(await isFound())) return;
  await sleep(LATE_MS, signal);
  if (await isFound()) counts.left++;
  else counts.late++;
}
