/**
 * `work` for each item, up to `limit` at once, in no order. After a failure no further item is begun;
 * it is thrown once those under way have ended.
 */
export async function inParallel<T>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = each(items);
  let failure: { error: unknown } | undefined;
  const runner = async (): Promise<void> => {
    try {
      while (failure === undefined) {
        const next = await iterator.next();
        if (next.done) return;
        await work(next.value);
      }
    } catch (error) {
      failure ??= { error };
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
