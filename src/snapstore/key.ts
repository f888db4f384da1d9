import { StoreError } from "./errors.js";
import type { SnapStore, StaleOptions } from "./store.js";

/**
 * Throws STORE_FAILED for an invalid key: empty segments, `.`, `..`, NUL, a `/` at either end. Object stores accept
 * some of them, but folders do not, and backups can be copied between both.
 */
export function checkKey(store: string, key: string): void {
  const bad = key
    .split("/")
    .some((part) => part === "" || part === "." || part === ".." || part.includes("\0"));
  if (bad)
    throw new StoreError("STORE_FAILED", `${JSON.stringify(key)} is not a valid key`, { store });
}

/** Throws STORE_FAILED unless the prefix is empty, or a valid key followed by `/`. */
export function checkPrefix(store: string, prefix: string): void {
  if (prefix === "") return;
  if (!prefix.endsWith("/")) {
    throw new StoreError("STORE_FAILED", `${JSON.stringify(prefix)} is not a valid prefix`, {
      store,
    });
  }
  checkKey(store, prefix.slice(0, -1));
}

/** Whether {@link SnapStore.abortStaleUploads} may abort an upload of the key. */
export function isAbortable(key: string, { keep, only }: StaleOptions): boolean {
  return !isBelow(key, keep) && (only?.(key) ?? true);
}

/** Whether the key or prefix starts with one of `prefixes`. */
export function isBelow(key: string, prefixes: readonly string[] = []): boolean {
  return prefixes.some((prefix) => key.startsWith(prefix));
}

/** Start of a message about a key; empty for the container. */
export function subjectOf(key: string): string {
  return key === "" ? "" : `${key}: `;
}
