import type { SnapStore } from "../snapstore/store.js";
import { namesIn, readSnapshots, type StoredSnapshot } from "./catalog.js";
import { readStreams } from "./streams/list-streams.js";
import type { StoredStream } from "./streams/stored-stream.js";

/** What is in a store, directly below its prefix. */
export interface StoreContents {
  /** Oldest first. */
  readonly snapshots: readonly StoredSnapshot[];
  /** By their start. */
  readonly streams: readonly StoredStream[];
}

/** All snapshots and streams of a store: as `listSnapshots` and `listStreams`, with one listing of names. */
export async function listStore(store: SnapStore, signal: AbortSignal): Promise<StoreContents> {
  const names = await namesIn(store, signal);
  const snapshots = await readSnapshots(store, names, signal);
  return { snapshots, streams: await readStreams(store, names, signal) };
}
