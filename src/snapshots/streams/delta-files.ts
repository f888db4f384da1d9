import { setMaxListeners } from "node:events";
import { type BackupFile, BytesFile } from "../../archive/backup-files.js";
import { damaged } from "../../archive/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import { SnapshotFiles } from "../snapshot-files.js";
import { deltaName } from "./delta-name.js";
import type { ListedDelta } from "./delta-table.js";

/** Deltas up to this size are read by one request; larger ones by ranges. */
const WHOLE_BYTES = 4 << 20;
/** Deltas that are read ahead, each at a round trip. */
const AHEAD = 12;
/** Their bytes together. */
const AHEAD_BYTES = 24 << 20;

/** A delta in a store. */
export interface DeltaPlace {
  readonly store: SnapStore;
  /** Name of its stream. */
  readonly stream: string;
  readonly delta: ListedDelta;
}

/** Opens the deltas of streams, and reads small ones ahead: most have a few KiB. */
export class DeltaFiles {
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  /** Those read ahead, by store and key. */
  readonly #ahead = new Map<string, Promise<Buffer>>();

  constructor(signal: AbortSignal) {
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
    // Each read ahead adds listeners.
    setMaxListeners(0, this.#signal);
  }

  /** Throws StoreError; DAMAGED for a file that is longer than it was listed. */
  async open(place: DeltaPlace): Promise<BackupFile> {
    const { store, stream, delta } = place;
    if (delta.bytes > WHOLE_BYTES) {
      return await new SnapshotFiles(store, stream, this.#signal).open(deltaName(delta));
    }
    const id = idOf(place);
    const ahead = this.#ahead.get(id);
    this.#ahead.delete(id);
    return new BytesFile(await (ahead ?? this.#fetch(place)));
  }

  /** Begins to read these, in their order, as far as there is room. Forgets others that were read ahead. */
  readAhead(places: Iterable<DeltaPlace>): void {
    const wanted = new Set<string>();
    let bytes = 0;
    for (const place of places) {
      const size = place.delta.bytes;
      bytes += size;
      if (size > WHOLE_BYTES || bytes > AHEAD_BYTES || wanted.size === AHEAD) break;
      const id = idOf(place);
      wanted.add(id);
      if (this.#ahead.has(id)) continue;
      const read = this.#fetch(place);
      // Its `open` throws it.
      read.catch(() => {});
      this.#ahead.set(id, read);
    }
    for (const id of this.#ahead.keys()) if (!wanted.has(id)) this.#ahead.delete(id);
  }

  /** Ends reads that nothing waits for. */
  close(): void {
    this.#stop.abort();
    this.#ahead.clear();
  }

  async #fetch({ store, stream, delta }: DeltaPlace): Promise<Buffer> {
    const file = deltaName(delta);
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of store.get(`${stream}/${file}`, { signal: this.#signal })) {
      bytes += piece.length;
      if (bytes > delta.bytes) throw damaged("it is longer than it was listed", { file });
      parts.push(piece);
    }
    return Buffer.concat(parts);
  }
}

function idOf({ store, stream, delta }: DeltaPlace): string {
  return `${store.place} ${stream}/${deltaName(delta)}`;
}
