import { answered } from "./answered.js";
import { CephError } from "./errors.js";
import type { PoolHandle } from "./pool-handle.js";
import type { NameBatch } from "./types.js";

export interface ListOptions {
  /** Parts of the pool that are listed side by side. */
  readonly slices: number;
  /** Names in a page, about. */
  readonly pageSize: number;
  readonly signal: AbortSignal;
}

interface Page {
  readonly slice: number;
  readonly names: NameBatch;
  readonly next: string;
}

/** Lists a pool in slices. Holds one page of each slice at most. */
export async function* listObjects(
  pool: PoolHandle,
  { slices, pageSize, signal }: ListOptions,
): AsyncGenerator<NameBatch> {
  const page = async (slice: number, cursor: string): Promise<Page> => {
    const { code, results } = await answered<[Uint8Array, Uint32Array, string]>(signal, (done) =>
      pool.native.list(pool.number, slice, slices, cursor, pageSize, done),
    );
    if (code < 0) throw CephError.of(code, { operation: "list objects", pool: pool.name });
    const [bytes, offsets, next] = results;
    return { slice, names: { count: (offsets.length - 1) / 3, bytes, offsets }, next };
  };
  const pending = new Map<number, Promise<Page>>();
  const start = (slice: number, cursor: string): void => {
    const promise = page(slice, cursor);
    // Awaited below, unless the consumer stops first.
    promise.catch(() => {});
    pending.set(slice, promise);
  };
  for (let slice = 0; slice < slices; slice++) start(slice, "");
  while (pending.size > 0) {
    const { slice, names, next } = await Promise.race(pending.values());
    pending.delete(slice);
    if (next !== "") start(slice, next);
    if (names.count > 0) yield names;
  }
}
