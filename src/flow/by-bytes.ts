/** Splits items into runs of about `limit` bytes, at least one item each. */
export function* byBytes<T>(
  items: readonly T[],
  limit: number,
  bytesOf: (item: T) => number,
): Generator<readonly T[]> {
  let from = 0;
  let bytes = 0;
  for (let to = 0; to < items.length; to++) {
    const size = bytesOf(items[to] as T);
    if (to > from && bytes + size > limit) {
      yield items.slice(from, to);
      from = to;
      bytes = 0;
    }
    bytes += size;
  }
  if (from < items.length) yield items.slice(from);
}
