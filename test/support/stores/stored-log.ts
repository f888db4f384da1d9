import type { ArchivedRevision } from "../../../src/archive/delta/revision.js";
import type { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { deltaName } from "../../../src/snapshots/streams/delta-name.js";
import { listStreams } from "../../../src/snapshots/streams/list-streams.js";
import type { LogSite } from "../../../src/snapshots/streams/log-stream.js";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { SampleStream } from "../archive/deltas.js";

/** Seals revisions as a stream, with as many in each delta as `lengths` says, and puts it into stores. */
export async function putStream(
  pool: SealPool,
  stores: readonly SnapStore[],
  history: (revision: number) => ArchivedRevision,
  {
    first,
    lengths,
    ...facts
  }: {
    readonly first: number;
    readonly lengths: readonly number[];
  } & NonNullable<Parameters<typeof SampleStream.start>[2]>,
): Promise<SampleStream> {
  const stream = await SampleStream.start(pool, first, facts);
  for (const length of lengths) {
    const { nextRevision } = stream.writer;
    await stream.seal(Array.from({ length }, (_, i) => history(nextRevision + i)));
  }
  for (const sealed of stream.sealed) {
    for (const store of stores)
      await store.put(`${stream.name}/${deltaName(sealed)}`, sealed.bytes);
  }
  return stream;
}

/** Key of a delta of a stream. */
export function keyOf(stream: SampleStream, number: number): string {
  return `${stream.name}/${deltaName(stream.named(number))}`;
}

export async function sites(...stores: readonly SnapStore[]): Promise<LogSite[]> {
  const { signal } = new AbortController();
  return await Promise.all(
    stores.map(async (store) => ({ store, streams: await listStreams(store, signal) })),
  );
}
