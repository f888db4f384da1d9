import { readUint64BE, writeUint64BE } from "./uint64.js";

/** Where a change is in the history of etcd: its revision, and its index among the changes of that revision. */
export interface ChangePosition {
  readonly main: number;
  readonly sub: number;
}

/** Keys of the bucket `key` (`revToBytes` and `appendMarkTombstone` of etcd's mvcc): both numbers, big-endian. */
export const PUT_BYTES = 17;
export const DELETION_BYTES = 18;
export const SEPARATOR = "_".charCodeAt(0);
export const DELETION_MARK = "t".charCodeAt(0);

export function encodeRevisionKey({ main, sub }: ChangePosition, deleted = false): Buffer {
  const key = Buffer.alloc(deleted ? DELETION_BYTES : PUT_BYTES);
  writeUint64BE(key, 0, main);
  key[8] = SEPARATOR;
  writeUint64BE(key, 9, sub);
  if (deleted) key[17] = DELETION_MARK;
  return key;
}

/** Reads a key at `start` of a page. The main revision is NaN where it is no such key. */
export function decodeRevisionKey(
  page: Buffer,
  start: number,
  length: number,
): ChangePosition & { readonly deleted: boolean } {
  const deleted = length === DELETION_BYTES && page[start + 17] === DELETION_MARK;
  if (!(deleted || length === PUT_BYTES) || page[start + 8] !== SEPARATOR) return NO_KEY;
  const main = readUint64BE(page, start);
  const sub = readUint64BE(page, start + 9);
  return Number.isSafeInteger(main) && Number.isSafeInteger(sub) ? { main, sub, deleted } : NO_KEY;
}

const NO_KEY = { main: Number.NaN, sub: 0, deleted: false };
