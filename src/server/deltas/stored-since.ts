import { type DeltaName, parseDeltaName } from "../../snapshots/streams/delta-name.js";
import type { StoredStream } from "../../snapshots/streams/stored-stream.js";
import { StreamFolder } from "../../snapshots/streams/stream-folder.js";
import { compareStreamNames, parseStreamName } from "../../snapshots/streams/stream-name.js";
import type { SealedDelta } from "./outbox.js";

/** Deltas that are kept while a site cannot be listed; older ones are left out. */
const MOST_DELTAS = 10_000;

interface StoredDelta {
  readonly stream: string;
  readonly key: string;
  readonly name: DeltaName;
  readonly size: number;
}

/** What this server has stored at a site that its listings do not show yet. */
export class StoredSince {
  /** Since the last listing began, and since the one before. */
  #recent: StoredDelta[] = [];
  #earlier: StoredDelta[] = [];

  add({ stream, key, bytes }: Pick<SealedDelta, "stream" | "key" | "bytes">): void {
    const name = parseDeltaName(key.slice(stream.length + 1));
    if (name === undefined) return;
    this.#recent.push({ stream, key, name, size: bytes.length });
    if (this.#recent.length > MOST_DELTAS) this.#recent.shift();
  }

  listingBegun(): void {
    this.#earlier = [...this.#earlier, ...this.#recent].slice(-MOST_DELTAS);
    this.#recent = [];
  }

  /** The listing that was begun last has succeeded. */
  listed(): void {
    this.#earlier = [];
  }

  /** The streams of the last listing, with what was stored since. */
  addedTo(streams: readonly StoredStream[]): StoredStream[] {
    const byName = new Map(streams.map((one) => [one.name.text, one]));
    const deltas = new Map<string, StoredDelta[]>();
    for (const one of [...this.#earlier, ...this.#recent]) {
      const others = deltas.get(one.stream);
      if (others === undefined) deltas.set(one.stream, [one]);
      else others.push(one);
    }
    for (const [stream, stored] of deltas) {
      const merged = withDeltas(stream, byName.get(stream), stored);
      if (merged !== undefined) byName.set(stream, merged);
    }
    return [...byName.values()].sort((a, b) => compareStreamNames(a.name, b.name));
  }
}

function withDeltas(
  stream: string,
  listed: StoredStream | undefined,
  stored: readonly StoredDelta[],
): StoredStream | undefined {
  const added = stored.filter(({ name }) => listed?.deltas.indexOf(name) === undefined);
  const name = parseStreamName(stream);
  if (added.length === 0 || name === undefined) return listed;
  const modified = new Date();
  const folder = new StreamFolder(name, false);
  for (const file of listed?.deltas.names() ?? []) {
    folder.add({ key: `${stream}/${file}`, size: 0, modified });
  }
  for (const { key, size } of added) folder.add({ key, size, modified });
  const all = folder.end()?.stream;
  if (all === undefined) return listed;
  const { files, bytes } = listed?.left ?? { files: 0, bytes: 0 };
  const left = { files: files + added.length, bytes: bytes + all.left.bytes, modified };
  return { ...all, base: listed?.base, left, foreign: listed?.foreign };
}
