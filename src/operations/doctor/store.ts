import type { StoreConfig } from "../../snapstore/config.js";
import { StoreError } from "../../snapstore/errors.js";
import { openStore } from "../../snapstore/open-store.js";
import { RetryingStore } from "../../snapstore/layers/retrying.js";
import type { SnapStore, StoreFacts } from "../../snapstore/store.js";
import { ANSWER_MS, type AreaChecks, step, wordsOf } from "./check.js";
import { raceWriters } from "./create-only.js";
import { checkSpace } from "./space.js";
import { checkClock, checkLock, checkVersioning } from "./store-facts.js";
import { probeStore } from "./store-probe.js";

/**
 * Checks whether a store can keep backups. Resolves with its place; undefined when it cannot be opened.
 *
 * @param configure throws when the settings are not those of a store
 */
export async function checkStore(
  checks: AreaChecks,
  configure: () => StoreConfig,
  signal: AbortSignal,
): Promise<string | undefined> {
  let config: StoreConfig;
  let opened: SnapStore;
  try {
    config = configure();
    opened = await step(signal, () => openStore(config));
  } catch (error) {
    checks.failedBy("settings", error, "", "check the settings and credentials of the store");
    return undefined;
  }
  const store = withFewTries(opened);
  try {
    await examineStore(checks, store, config, signal);
  } finally {
    await store.close();
  }
  return store.place;
}

function withFewTries(store: SnapStore): SnapStore {
  return new RetryingStore(store, {
    attempts: 2,
    callMs: ANSWER_MS,
    // A store that does not answer gets no second try.
    totalMs: ANSWER_MS,
  });
}

async function examineStore(
  checks: AreaChecks,
  store: SnapStore,
  config: StoreConfig,
  signal: AbortSignal,
): Promise<void> {
  try {
    const page = await step(signal, (inner) =>
      store.list("", { shallow: true, limit: 100, signal: inner }),
    );
    const count = page.objects.length + page.folders.length;
    const entries = page.next === undefined ? `${count}` : `${count} or more`;
    checks.ok("list", `${store.name}, entries: ${entries}`);
  } catch (error) {
    checks.failedBy("list", error, "", "is the address right, and is the store up?");
    if (!(error instanceof StoreError) || error.retryable) {
      checks.skipped("put", "the store does not answer");
      return;
    }
  }
  const facts = await factsOf(checks, store, signal);
  const { provider } = config;
  const { modified, works } = await probeStore(checks, store, facts, signal);
  if (works) {
    const another = async () => withFewTries(await openStore(config));
    await raceWriters(checks, store, another, facts, signal);
  }
  const ahead = facts?.clockAheadMs ?? (HAS_A_CLOCK.includes(provider) ? modified : undefined);
  checkClock(checks, ahead, provider);
  if (facts === undefined) return;
  if (["S3", "ECS", "OCS", "OSS"].includes(provider)) {
    checkVersioning(checks, facts);
    checkLock(checks, facts);
  }
  if (facts.space !== undefined) checkSpace(checks, "space", facts.space);
}

/** Providers whose mtime of an object is the time of the server. */
const HAS_A_CLOCK: readonly string[] = ["ABS", "GCS", "Swift"];

/** Undefined when the store does not answer. */
async function factsOf(
  checks: AreaChecks,
  store: SnapStore,
  signal: AbortSignal,
): Promise<StoreFacts | undefined> {
  try {
    return await step(signal, async (inner) => (await store.describe?.(inner)) ?? {});
  } catch (error) {
    const { detail } = wordsOf(error, store.name);
    checks.skipped("facts", `the store does not say how it keeps things: ${detail}`);
    return undefined;
  }
}
