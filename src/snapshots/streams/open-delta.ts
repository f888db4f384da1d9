import type { BackupKeys } from "../../archive/crypto/backup-keys.js";
import { DeltaReader } from "../../archive/delta/delta-reader.js";
import { damaged } from "../../archive/errors.js";
import type { SealPool } from "../../archive/seal/seal-pool.js";
import type { DeltaFiles } from "./delta-files.js";
import { deltaName } from "./delta-name.js";
import type { ListedDelta } from "./delta-table.js";
import type { StreamCopy } from "./log-stream.js";

export interface OpenOptions {
  readonly files: DeltaFiles;
  readonly keys: BackupKeys;
  readonly pool: SealPool;
  readonly signal: AbortSignal;
  /** Deltas of the copy to read ahead meanwhile. */
  readonly ahead?: Iterable<ListedDelta>;
}

/** Opens a delta of a stream in a store. Throws ArchiveError, StoreError. */
export async function openStoredDelta(
  { store, stream }: StreamCopy,
  delta: ListedDelta,
  { files, keys, pool, signal, ahead = [] }: OpenOptions,
): Promise<DeltaReader> {
  const { text, firstRevision } = stream.name;
  const name = `${text}/${deltaName(delta)}`;
  const { number, first, last, time } = delta;
  if (number === 0 && first !== firstRevision) {
    throw damaged(`it begins with revision ${first}, not ${firstRevision}`, { file: name });
  }
  const place = (one: ListedDelta) => ({ store, stream: text, delta: one });
  const file = await files.open(place(delta));
  files.readAhead(mapped(ahead, place));
  const expected = { stream: text, number, first, last, time };
  return await DeltaReader.open({ name, file, keys, pool, expected, signal });
}

function* mapped<T, U>(all: Iterable<T>, map: (one: T) => U): Generator<U, void, void> {
  for (const one of all) yield map(one);
}
