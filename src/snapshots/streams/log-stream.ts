import type { BackupKeys, PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import { openStreamKeys } from "../../archive/delta/stream-keys.js";
import { ArchiveError } from "../../archive/errors.js";
import { METADATA_NAME } from "../../archive/format.js";
import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import { SnapshotFiles } from "../snapshot-files.js";
import { type DeltaName, deltaName } from "./delta-name.js";
import { compareDeltas, DeltaTable } from "./delta-table.js";
import type { StoredStream } from "./stored-stream.js";
import { compareStreamNames, type StreamName } from "./stream-name.js";

/** A store, and those of its streams that are to be read. */
export interface LogSite {
  readonly store: SnapStore;
  readonly streams: readonly StoredStream[];
}

/** A stream in one store, of which another may have a copy. */
export interface StreamCopy {
  readonly store: SnapStore;
  readonly stream: StoredStream;
}

/** A stream, and all of its copies. */
export class LogStream {
  readonly name: StreamName;
  readonly copies: readonly StreamCopy[];
  /** The deltas of all copies. */
  readonly deltas: DeltaTable;
  #keys: Promise<BackupKeys> | undefined;

  constructor(name: StreamName, copies: readonly StreamCopy[]) {
    this.name = name;
    this.copies = copies;
    this.deltas = united(copies.map(({ stream }) => stream.deltas));
  }

  /** The copies that list a delta. */
  copiesOf(delta: DeltaName): readonly StreamCopy[] {
    return this.copies.filter(({ stream }) => stream.deltas.indexOf(delta) !== undefined);
  }

  /** Opened once, by the files of any copy. Throws as {@link openStreamKeys}. */
  keys(passphrase: PassphraseKeys, signal: AbortSignal): Promise<BackupKeys> {
    this.#keys ??= openCopies(this.copies, passphrase, signal);
    return this.#keys;
  }
}

/** The streams of one or more stores, the newest first; copies of one are one. */
export function logStreams(sites: readonly LogSite[]): LogStream[] {
  const byName = new Map<string, StreamCopy[]>();
  for (const { store, streams } of sites) {
    for (const stream of streams) {
      const copies = byName.get(stream.name.text) ?? [];
      copies.push({ store, stream });
      byName.set(stream.name.text, copies);
    }
  }
  return [...byName.values()]
    .flatMap((copies) => copies.slice(0, 1).map(({ stream }) => new LogStream(stream.name, copies)))
    .sort((a, b) => compareStreamNames(b.name, a.name));
}

async function openCopies(
  copies: readonly StreamCopy[],
  passphrase: PassphraseKeys,
  signal: AbortSignal,
): Promise<BackupKeys> {
  let failure: unknown;
  for (const { store, stream } of copies) {
    const { name, deltas, base } = stream;
    const last = deltas.length - 1;
    const names = [...new Set([0, last])].flatMap((i) =>
      i >= 0 && i <= last ? [deltaName(deltas.at(i))] : [],
    );
    if (base?.state === "complete") names.unshift(METADATA_NAME);
    const files = new SnapshotFiles(store, name.text, signal);
    try {
      return await openStreamKeys(files, names, name.idStart, passphrase);
    } catch (error) {
      if (!(error instanceof ArchiveError || error instanceof StoreError)) throw error;
      failure ??= error;
    }
  }
  throw failure;
}

/** The deltas of several tables, each once. */
function united([first, ...others]: readonly DeltaTable[]): DeltaTable {
  let all = first ?? new DeltaTable().end();
  for (const other of others) {
    const table = new DeltaTable();
    let i = 0;
    let j = 0;
    while (i < all.length || j < other.length) {
      const [a, b] = [
        i < all.length ? all.at(i) : undefined,
        j < other.length ? other.at(j) : undefined,
      ];
      const order = a === undefined ? 1 : b === undefined ? -1 : compareDeltas(a, b);
      const next = order <= 0 ? a : b;
      if (next !== undefined) table.add(next);
      if (order <= 0) i++;
      if (order >= 0) j++;
    }
    all = table.end();
  }
  return all;
}
