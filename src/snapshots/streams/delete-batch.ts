import { setMaxListeners } from "node:events";
import { throwIfAborted } from "../../errors.js";
import { inParallel } from "../../flow/in-parallel.js";
import type { SnapStore } from "../../snapstore/store.js";

/** Deletions at the same time. */
const WINDOW = 32;
/** Time for the calls in flight to end after an interruption, ms. */
const GRACE_MS = 5_000;

/**
 * Deletes deltas that follow each other, several at the same time, and begins with the newest. When a call fails, or the
 * signal aborts, those in flight end first, and what is newer than a deleted one is tried again. So none is left after a gap unless
 * the process dies or the store goes on failing.
 *
 * @param keys the newest first
 */
export async function deleteBatch(
  store: SnapStore,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const late = new AbortController();
  // Each call in flight adds listeners.
  setMaxListeners(0, late.signal);
  let timer: NodeJS.Timeout | undefined;
  const interrupt = (): void => {
    timer = setTimeout(() => late.abort(), GRACE_MS);
  };
  signal.addEventListener("abort", interrupt, { once: true });
  const deleted = new Set<string>();
  const remove = async (key: string): Promise<void> => {
    await store.delete(key, late.signal);
    deleted.add(key);
  };
  try {
    await inParallel(keys, WINDOW, async (key) => {
      throwIfAborted(signal);
      await remove(key);
    });
  } catch (error) {
    const oldest = keys.findLastIndex((key) => deleted.has(key));
    const newer = keys.filter((key, i) => i < oldest && !deleted.has(key));
    for (const key of newer) await remove(key).catch(() => Promise.reject(error));
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", interrupt);
  }
}
