import { inParallel } from "../../flow/in-parallel.js";
import type { SnapStore } from "../../snapstore/store.js";
import { namesIn } from "../catalog.js";
import { readBase } from "./read-base.js";
import type { StoredStream } from "./stored-stream.js";
import { type ListedStream, StreamFolder } from "./stream-folder.js";
import { compareStreamNames, type StreamName } from "./stream-name.js";

/** Streams read concurrently. */
const WINDOW = 8;

/**
 * All streams directly below the store's prefix, by their start. Folders without files of this program are ignored. One
 * listing of names, and for each stream a listing and its base's manifest, where it has a base.
 */
export async function listStreams(store: SnapStore, signal: AbortSignal): Promise<StoredStream[]> {
  const { streams, objects } = await namesIn(store, signal);
  const found: StoredStream[] = [];
  await inParallel(streams, WINDOW, async (name) => {
    const stream = await readStream(store, name, signal, objects.has(name.text));
    if (stream !== undefined) found.push(stream);
  });
  return found.sort((a, b) => compareStreamNames(a.name, b.name));
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
