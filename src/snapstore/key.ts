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

/** The order of a listing: UTF-8 bytes, without encoding them. Only surrogates sort differently in UTF-16. */
export function compareKeys(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
