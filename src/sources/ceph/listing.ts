import { callBinding } from "./binding-call.js";
import type { ListPage, PoolHandle } from "./librados.js";
import type { NameBatch } from "./types.js";

export interface ListOptions {
  /** Parts of the pool that are listed in parallel. */
  readonly slices: number;
  /** Approximate number of names in a page. */
  readonly pageSize: number;
  readonly signal: AbortSignal;
}

/** Lists a pool in slices. Holds at most one page of each slice. */
export async function* listObjects(
  { native, number, name: pool }: PoolHandle,
  { slices, pageSize, signal }: ListOptions,
): AsyncGenerator<NameBatch> {
  const pending = new Map<number, Promise<ListPage & { readonly slice: number }>>();
  const start = (slice: number, cursor: string): void => {
    const request = { slice, slices, cursor, count: pageSize };
    const page = callBinding<ListPage>(signal, { operation: "list objects", pool }, (done) =>
      native.listObjects(number, request, done),
    ).then((found) => ({ ...found, slice }));
    // Awaited below, unless the consumer stops first.
    page.catch(() => {});
    pending.set(slice, page);
  };
  for (let slice = 0; slice < slices; slice++) start(slice, "");
  while (pending.size > 0) {
    const { slice, names, next } = await Promise.race(pending.values());
    pending.delete(slice);
    if (next !== "") start(slice, next);
    if (names.count > 0) yield names;
  }
}
