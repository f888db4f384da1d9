import type { SnapStore } from "../snapstore/store.js";
import { namesIn, readSnapshots, type StoredSnapshot } from "./catalog.js";
import { readStreams, whole } from "./streams/list-streams.js";
import type { DeltaFacts, DeltaTaker, StoredStream } from "./streams/stored-stream.js";
import type { DeltaTable } from "./streams/delta-table.js";
import { outlined } from "./streams/stream-outline.js";

/** What is in a store, directly below its prefix. */
export interface StoreContents<D extends DeltaFacts = DeltaTable> {
  /** Oldest first. */
  readonly snapshots: readonly StoredSnapshot[];
  /** By their start. */
  readonly streams: readonly StoredStream<D>[];
}

/** The same without the names of deltas: enough to decide what is deleted. */
export type StoreOutline = StoreContents<DeltaFacts>;

/**
 * All snapshots and streams of a store: as `listSnapshots` and `listStreams`, with one listing of names. Throws
 * STORE_OVERFLOW for more deltas than memory should hold.
 */
export async function listStore(store: SnapStore, signal: AbortSignal): Promise<StoreContents> {
  return await listWith(store, whole(store), signal);
}

/** As {@link listStore}, of stores with any number of deltas. */
export async function outlineStore(store: SnapStore, signal: AbortSignal): Promise<StoreOutline> {
  return await listWith(store, outlined(store), signal);
}

async function listWith<D extends DeltaFacts>(
  store: SnapStore,
  take: DeltaTaker<D>,
  signal: AbortSignal,
): Promise<StoreContents<D>> {
  const names = await namesIn(store, signal);
  const snapshots = await readSnapshots(store, names, signal);
  return { snapshots, streams: await readStreams(store, names, take, signal) };
}
