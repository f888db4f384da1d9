import { randomBytes } from "node:crypto";
import { quoted } from "../../quoted.js";
import { probeKey } from "../../snapshots/own-keys.js";
import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore, StoreFacts } from "../../snapstore/store.js";
import { ANSWER_MS, STEP_MS, type AreaChecks, wordsOf } from "./check.js";
import { withDeadline } from "../../flow/deadline.js";

const PROBE_BYTES = 1024;

/**
 * Puts a small object, reads it back and removes it, whatever happens between. Resolves with how far
 * the object's time is ahead of ours, ms.
 */
export async function probeStore(
  checks: AreaChecks,
  store: SnapStore,
  facts: StoreFacts | undefined,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (facts?.objectLock?.everyObject !== undefined) {
    checks.skipped("put", "the bucket locks every new object: a probe could not be removed again");
    return undefined;
  }
  const key = probeKey(randomBytes(8).toString("hex"));
  const bytes = randomBytes(PROBE_BYTES);
  let there = false;
  try {
    const sent = Date.now();
    try {
      await withDeadline(STEP_MS, signal, (inner) => store.put(key, bytes, { signal: inner }));
      there = true;
    } catch (error) {
      // It may have come about all the same, unless it was refused.
      there = !(error instanceof StoreError) || error.retryable;
      const { detail, hint } = said(error, store, key);
      checks.failed("put", detail, hint ?? adviceFor(error));
      return undefined;
    }
    checks.ok("put", `${PROBE_BYTES} bytes`);
    const middle = (sent + Date.now()) / 2;
    const modified = await checkHead(checks, store, key, signal);
    await checkGet(checks, store, key, bytes, signal);
    return modified === undefined ? undefined : modified.getTime() + 500 - middle;
  } finally {
    if (there) await checkDelete(checks, store, key);
  }
}

async function checkHead(
  checks: AreaChecks,
  store: SnapStore,
  key: string,
  signal: AbortSignal,
): Promise<Date | undefined> {
  try {
    const found = await withDeadline(STEP_MS, signal, (inner) => store.head(key, inner));
    if (found?.size === PROBE_BYTES) {
      checks.ok("head", `${found.size} bytes`);
      return found.modified;
    }
    checks.failed(
      "head",
      found === undefined ? "what was just put is not there" : `${found.size} bytes`,
      "is another program or a cache between here and the store?",
    );
  } catch (error) {
    const { detail, hint } = said(error, store, key);
    checks.failed("head", detail, hint ?? adviceFor(error));
  }
  return undefined;
}

async function checkGet(
  checks: AreaChecks,
  store: SnapStore,
  key: string,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  try {
    const read = await withDeadline(STEP_MS, signal, async (inner) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of store.get(key, { signal: inner })) pieces.push(piece);
      return Buffer.concat(pieces);
    });
    if (read.equals(bytes)) checks.ok("get", "the same bytes");
    else {
      checks.failed(
        "get",
        `other bytes than were put, ${read.length} of them`,
        "do not keep backups there: something between here and the store changes them",
      );
    }
  } catch (error) {
    const { detail, hint } = said(error, store, key);
    checks.failed("get", detail, hint ?? adviceFor(error));
  }
}

/** Also after an interruption: nothing is to stay behind. */
async function checkDelete(checks: AreaChecks, store: SnapStore, key: string): Promise<void> {
  try {
    await withDeadline(STEP_MS, undefined, (inner) => store.delete(key, inner));
    const left = await withDeadline(ANSWER_MS, undefined, (inner) => store.head(key, inner));
    if (left === undefined) checks.ok("delete", "the probe is gone");
    else checks.failed("delete", `${quoted(key)} is still there`, "remove it by hand");
  } catch (error) {
    const { detail, hint } = said(error, store, key);
    const advice = hint ?? adviceFor(error);
    const more = `remove ${quoted(key)} by hand`;
    checks.failed("delete", detail, advice === undefined ? more : `${advice}; ${more}`);
  }
}

/** Without the store and the probe's name, which say nothing. */
function said(error: unknown, store: SnapStore, key: string) {
  const { detail, hint } = wordsOf(error, store.name);
  return { detail: detail.startsWith(`${key}: `) ? detail.slice(key.length + 2) : detail, hint };
}

function adviceFor(error: unknown): string | undefined {
  return error instanceof StoreError ? ADVICE[error.code] : undefined;
}

const ADVICE: Partial<Record<StoreError["code"], string>> = {
  STORE_THROTTLED: "try again later",
  STORE_TRANSIENT: "is the address right, and is the store up?",
  STORE_NOT_FOUND: "make the bucket or container, or check its name",
  STORE_IMMUTABLE: "let this user write and delete there",
  STORE_FAILED: "check the store's address and settings",
};
