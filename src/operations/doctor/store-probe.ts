import { randomBytes } from "node:crypto";
import { quoted } from "../../quoted.js";
import { probeKey } from "../../snapshots/own-keys.js";
import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore, StoreFacts } from "../../snapstore/store.js";
import { answer, type AreaChecks, step, wordsOf } from "./check.js";

const PROBE_BYTES = 1024;

interface Probed {
  /** How far the time of an object is ahead of the local clock, ms. */
  readonly modified?: number | undefined;
  /** Whether an object could be put and removed. */
  readonly works: boolean;
}

/** Puts a small object, reads it back and always removes it. */
export async function probeStore(
  checks: AreaChecks,
  store: SnapStore,
  facts: StoreFacts | undefined,
  signal: AbortSignal,
): Promise<Probed> {
  if (facts?.objectLock?.everyObject !== undefined) {
    checks.skipped("put", "the bucket locks every new object: a probe could not be removed again");
    return { works: false };
  }
  const key = probeKey(randomBytes(8).toString("hex"));
  const bytes = randomBytes(PROBE_BYTES);
  let mayExist = false;
  let works = false;
  let modified: number | undefined;
  try {
    const sent = Date.now();
    try {
      await step(signal, (inner) => store.put(key, bytes, { signal: inner }));
      mayExist = true;
    } catch (error) {
      // The object may exist all the same, unless the store rejected it.
      mayExist = !(error instanceof StoreError) || error.retryable;
      reportFailure(checks, "put", error, store, key);
      return { works };
    }
    checks.ok("put", `${PROBE_BYTES} bytes`);
    const middle = (sent + Date.now()) / 2;
    const time = await checkHead(checks, store, key, signal);
    await checkGet(checks, store, key, bytes, signal);
    if (time !== undefined) modified = time.getTime() + 500 - middle;
  } finally {
    if (mayExist) works = await checkDelete(checks, store, key);
  }
  return { modified, works };
}

async function checkHead(
  checks: AreaChecks,
  store: SnapStore,
  key: string,
  signal: AbortSignal,
): Promise<Date | undefined> {
  try {
    const found = await step(signal, (inner) => store.head(key, inner));
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
    reportFailure(checks, "head", error, store, key);
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
    const read = await step(signal, async (inner) => {
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
    reportFailure(checks, "get", error, store, key);
  }
}

/** Removes the probe, even after an interruption. Whether it is gone. */
async function checkDelete(checks: AreaChecks, store: SnapStore, key: string): Promise<boolean> {
  try {
    await step(undefined, (inner) => store.delete(key, inner));
    const left = await answer(undefined, (inner) => store.head(key, inner));
    if (left === undefined) checks.ok("delete", "the probe is gone");
    else checks.failed("delete", `${quoted(key)} is still there`, "remove it by hand");
    return left === undefined;
  } catch (error) {
    reportFailure(checks, "delete", error, store, key, `remove ${quoted(key)} by hand`);
    return false;
  }
}

/** Reports an error without the names of the store and the probe. `more` is advice that goes last. */
function reportFailure(
  checks: AreaChecks,
  name: string,
  error: unknown,
  store: SnapStore,
  key: string,
  more?: string,
): void {
  const { detail, hint } = wordsOf(error, store.name);
  const advice = hint ?? (error instanceof StoreError ? ADVICE[error.code] : undefined);
  const short = detail.startsWith(`${key}: `) ? detail.slice(key.length + 2) : detail;
  checks.failed(name, short, [advice, more].filter(Boolean).join("; ") || undefined);
}

const ADVICE: Partial<Record<StoreError["code"], string>> = {
  STORE_THROTTLED: "try again later",
  STORE_TRANSIENT: "is the address right, and is the store up?",
  STORE_NOT_FOUND: "make the bucket or container, or check its name",
  STORE_IMMUTABLE: "let this user write and delete there",
  STORE_FAILED: "check the store's address and settings",
};
