import { inParallel } from "../../flow/in-parallel.js";
import type { SnapStore } from "../../snapstore/store.js";
import { StoreError } from "../../snapstore/errors.js";
import { type NamesInStore, namesIn } from "../catalog.js";
import { readBase } from "./read-base.js";
import type { StoredStream } from "./stored-stream.js";
import { type ListedStream, StreamFolder } from "./stream-folder.js";
import { compareStreamNames, type StreamName } from "./stream-name.js";

/** Streams read concurrently. */
const WINDOW = 8;
/** One each ten seconds for a year and a half, in 200 MB. */
const MAX_LISTED_DELTAS = 5_000_000;

/**
 * All streams directly below the store's prefix, by their start. Folders without files of this program are ignored. One
 * listing of names, and for each stream a listing and its base's manifest, where it has a base.
 */
export async function listStreams(store: SnapStore, signal: AbortSignal): Promise<StoredStream[]> {
  return await readStreams(store, await namesIn(store, signal), signal);
}

/** The streams with these names, by their start. Throws STORE_FAILED if they have too many deltas to hold. */
export async function readStreams(
  store: SnapStore,
  { streams, objects }: Pick<NamesInStore, "streams" | "objects">,
  signal: AbortSignal,
): Promise<StoredStream[]> {
  const found: StoredStream[] = [];
  let deltas = 0;
  await inParallel(streams, WINDOW, async (name) => {
    const stream = await readStream(store, name, signal, objects.has(name.text));
    if (stream === undefined) return;
    found.push(stream);
    deltas += stream.deltas.length;
    checkDeltaCount(store, deltas);
  });
  return found.sort((a, b) => compareStreamNames(a.name, b.name));
}

/** Throws STORE_FAILED for more deltas than the memory of a server should hold. */
export function checkDeltaCount(store: SnapStore, count: number): void {
  if (count <= MAX_LISTED_DELTAS) return;
  const message = `it lists more than ${MAX_LISTED_DELTAS} deltas`;
  throw new StoreError("STORE_FAILED", message, { store: store.name });
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
