/** Bytes behind the common prefix that are looked at as a number: what a double holds. */
const DIGITS = 6;
const LIMIT = 256 ** DIGITS;

/**
 * A key about `spans` times as far behind `last` as `last` is behind `first`; undefined when that is past
 * what their common prefix reaches. A guess: keys need not be spread evenly.
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
  // Keys that go on with the same bytes come behind it.
  return Buffer.compare(key, last) > 0 ? key : undefined;
}

function numberAt(key: Uint8Array, at: number): number {
  let value = 0;
  for (let i = 0; i < DIGITS; i++) value = value * 256 + (key[at + i] ?? 0);
  return value;
}
