/** Runs `work` for the items, up to `window` at once; results come in the order of the items. */
export async function* orderedWindow<T, R>(
  items: AsyncIterable<T>,
  window: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void, void> {
  const iterator = items[Symbol.asyncIterator]();
  const pending: Promise<R>[] = [];
  let ended = false;
  try {
    for (;;) {
      while (!ended && pending.length < window) {
        const next = await iterator.next();
        if (next.done) {
          ended = true;
          break;
        }
        const result = work(next.value);
        // A failure is thrown in its turn; until then it must not count as unhandled.
        result.catch(() => {});
        pending.push(result);
      }
      const first = pending.shift();
      if (first === undefined) return;
      yield await first;
    }
  } finally {
    await Promise.allSettled(pending);
    await iterator.return?.();
  }
}
