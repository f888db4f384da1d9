import { inParallel } from "../../flow/in-parallel.js";
import type { SnapStore } from "../../snapstore/store.js";
import { type NamesInStore, namesIn } from "../catalog.js";
import { readBase } from "./read-base.js";
import { DeltaLimit, MAX_LISTED_DELTAS } from "./delta-limit.js";
import type { DeltaTable } from "./delta-table.js";
import type { DeltaFacts, DeltaTaker, StoredStream } from "./stored-stream.js";
import { type ListedStream, StreamFolder, withTaken } from "./stream-folder.js";
import { compareStreamNames, type StreamName } from "./stream-name.js";

/** Streams read concurrently. */
const WINDOW = 8;

/**
 * All streams directly below the store's prefix, by their start. Folders without files of this program are ignored. One
 * listing of names, and for each stream a listing and its base's manifest, where it has a base.
 */
export async function listStreams(store: SnapStore, signal: AbortSignal): Promise<StoredStream[]> {
  return await readStreams(store, await namesIn(store, signal), whole(store), signal);
}

/** The streams with these names, by their start, with what `take` keeps of their deltas. Throws as that. */
export async function readStreams<D extends DeltaFacts>(
  store: SnapStore,
  { streams, objects }: Pick<NamesInStore, "streams" | "objects">,
  take: DeltaTaker<D>,
  signal: AbortSignal,
): Promise<StoredStream<D>[]> {
  const found: StoredStream<D>[] = [];
  await inParallel(streams, WINDOW, async (name) => {
    const listed = await listStream(store, name, objects.has(name.text), signal);
    if (listed === undefined) return;
    const { stream } = withTaken(listed, take);
    found.push({ ...stream, base: await readBase(store, listed, signal) });
  });
  return found.sort((a, b) => compareStreamNames(a.name, b.name));
}

/** Keeps all of the deltas in a listing. Throws STORE_OVERFLOW for more than memory should hold. */
export function whole(store: SnapStore, limit = MAX_LISTED_DELTAS): DeltaTaker<DeltaTable> {
  const bound = new DeltaLimit(store, limit);
  let held = 0;
  return ({ name, deltas }) => {
    held += deltas.length;
    bound.check(held, name);
    return deltas;
  };
}

/**
 * Undefined if the stream has no files. `isObject` is whether an object has the name of the stream: it belongs to
 * another program.
 */
export async function readStream(
  store: SnapStore,
  name: StreamName,
  signal: AbortSignal,
  isObject = false,
): Promise<StoredStream | undefined> {
  const listed = await listStream(store, name, isObject, signal);
  return listed && { ...listed.stream, base: await readBase(store, listed, signal) };
}

/** The folder of one stream, without reading the manifest of its base. */
export async function listStream(
  store: SnapStore,
  name: StreamName,
  isObject: boolean,
  signal: AbortSignal,
): Promise<ListedStream | undefined> {
  const folder = new StreamFolder(name, isObject);
  let cursor: string | undefined;
  do {
    const page = await store.list(`${name.text}/`, { cursor, signal });
    for (const object of page.objects) folder.add(object);
    cursor = page.next;
  } while (cursor !== undefined);
  return folder.end();
}
