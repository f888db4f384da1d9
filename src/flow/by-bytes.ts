/** Splits items into runs of about `limit` bytes, at least one item each. */
export function* byBytes<T>(
  items: readonly T[],
  limit: number,
  bytesOf: (item: T) => number,
): Generator<readonly T[]> {
  let run: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = bytesOf(item);
    if (run.length > 0 && bytes + size > limit) {
      yield run;
      run = [];
      bytes = 0;
    }
    run.push(item);
    bytes += size;
  }
  if (run.length > 0) yield run;
}
