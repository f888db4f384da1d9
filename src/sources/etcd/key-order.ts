/** As the start of a range, the first of all keys; as its end, past the last of all keys. */
export const ZERO_KEY: Uint8Array = Buffer.from([0]);

/** The key that follows `key` in byte order. */
export function keyAfter(key: Uint8Array): Uint8Array {
  const next = Buffer.alloc(key.length + 1);
  next.set(key);
  return next;
}

/** Bytes after the common prefix that count as a number: what a double holds. */
const DIGITS = 6;
const LIMIT = 256 ** DIGITS;

/**
 * A key about `spans` times as far after `last` as `last` is after `first`; undefined when that is past
 * what their common prefix reaches. It is a guess: keys need not be spread evenly.
 */
export function keyBeyond(
  first: Uint8Array,
  last: Uint8Array,
  spans: number,
): Uint8Array | undefined {
  let common = 0;
  while (common < first.length && first[common] === last[common]) common++;
  const from = numberAt(first, common);
  const to = numberAt(last, common);
  let beyond = Math.ceil(to + Math.max(1, to - from) * spans);
  if (!(beyond < LIMIT)) return undefined;
  const key = Buffer.alloc(common + DIGITS);
  key.set(last.subarray(0, common));
  for (let i = DIGITS - 1; i >= 0; i--) {
    key[common + i] = beyond % 256;
    beyond = Math.floor(beyond / 256);
  }
  // `last` is still larger where it goes on after the same bytes.
  return Buffer.compare(key, last) > 0 ? key : undefined;
}

function numberAt(key: Uint8Array, at: number): number {
  let value = 0;
  for (let i = 0; i < DIGITS; i++) value = value * 256 + (key[at + i] ?? 0);
  return value;
}
