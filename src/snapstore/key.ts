import { StoreError } from "./errors.js";
import type { SnapStore, StaleOptions } from "./store.js";

/**
 * Throws STORE_FAILED for an invalid key: empty segments, `.`, `..`, NUL, a `/` at either end. Object stores would
 * take some of them; a folder cannot, and backups must be able to move.
 */
export function checkKey(store: string, key: string): void {
  const bad = key
    .split("/")
    .some((part) => part === "" || part === "." || part === ".." || part.includes("\0"));
  if (bad)
    throw new StoreError("STORE_FAILED", `${JSON.stringify(key)} is not a valid key`, { store });
}

/** Throws STORE_FAILED for a prefix that is neither empty nor whole segments with a `/` at the end. */
export function checkPrefix(store: string, prefix: string): void {
  if (prefix === "") return;
  if (!prefix.endsWith("/")) {
    throw new StoreError("STORE_FAILED", `${JSON.stringify(prefix)} is not a valid prefix`, {
      store,
    });
  }
  checkKey(store, prefix.slice(0, -1));
}

/** Whether an upload of the key is one that {@link SnapStore.abortStaleUploads} is for. */
export function isAbortable(key: string, { keep, only }: StaleOptions): boolean {
  return !isBelow(key, keep) && (only?.(key) ?? true);
}

/** Whether the key, or the prefix, is one of `prefixes` or below one. */
export function isBelow(key: string, prefixes: readonly string[] = []): boolean {
  return prefixes.some((prefix) => key.startsWith(prefix));
}
