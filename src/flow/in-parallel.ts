/**
 * `work` for each item, up to `limit` at once, begun in order. After a failure no further item is begun.
 * Once those under way have ended, that of the first item that failed is thrown: the same one as if they
 * had been done one after the other.
 */
export async function inParallel<T>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = each(items);
  let failure: { error: unknown; at: number } | undefined;
  let begun = 0;
  const runner = async (): Promise<void> => {
    // Of what the items come from, until there is one.
    let at = Number.POSITIVE_INFINITY;
    try {
      while (failure === undefined) {
        at = Number.POSITIVE_INFINITY;
        const next = await iterator.next();
        if (next.done) return;
        at = begun++;
        await work(next.value);
      }
    } catch (error) {
      if (failure === undefined || at < failure.at) failure = { error, at };
    }
  };
  await Promise.all(Array.from({ length: limit }, runner));
  await iterator.return();
  if (failure !== undefined) throw failure.error;
}

/** Answers the `next` of several runners one after the other. */
async function* each<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T, void, void> {
  yield* items;
}
