import { createHash } from "node:crypto";
import { isBackupFile, MAX_DELTAS } from "../../archive/format.js";
import type { StoredObject } from "../../snapstore/store.js";
import { isOwnStreamFile } from "../own-keys.js";
import { parseDeltaName } from "./delta-name.js";
import { DeltaTable } from "./delta-table.js";
import { type DeltaFacts, type DeltaTaker, runsOf, type StoredStream } from "./stored-stream.js";
import type { StreamName } from "./stream-name.js";

/** Most files of the base of a stream that a listing keeps: etcd's database has a few GiB, and an archive file 2. */
export const MAX_BASE_FILES = 1000;

/** What a listing says about the folder of a stream. */
export interface ListedStream<D extends DeltaFacts = DeltaTable> {
  readonly name: StreamName;
  /** Without the base, which only its manifest shows. */
  readonly stream: Omit<StoredStream<D>, "base">;
  /** The objects of the base by the names of their files, finished ones alone. */
  readonly baseFiles: ReadonlyMap<string, StoredObject>;
  /** Changes with each file of the base. */
  readonly baseFingerprint: string;
}

/** The same with what is to be kept of the deltas. */
export function withTaken<D extends DeltaFacts>(
  listed: ListedStream,
  take: DeltaTaker<D>,
): ListedStream<D> {
  const { stream } = listed;
  return { ...listed, stream: { ...stream, deltas: take(stream) } };
}

/** Takes the objects of the folder of a stream, in any order. */
export class StreamFolder {
  readonly name: StreamName;
  readonly #deltas = new DeltaTable();
  readonly #baseFiles = new Map<string, StoredObject>();
  readonly #baseHash = createHash("sha256");
  #foreign: string | undefined;
  #files = 0;
  #bytes = 0;
  #modified: Date | undefined;

  /** @param isObject whether an object has the name of the stream: it belongs to another program */
  constructor(name: StreamName, isObject: boolean) {
    this.name = name;
    if (isObject) this.#foreign = name.text;
  }

  add(object: StoredObject): void {
    const { key, size, modified, tag } = object;
    const file = key.slice(this.name.text.length + 1);
    const delta = parseDeltaName(file);
    if (delta === undefined && !isOwnStreamFile(file)) {
      this.#foreign ??= key;
      return;
    }
    this.#files++;
    this.#bytes += size;
    if (this.#modified === undefined || modified > this.#modified) this.#modified = modified;
    if (delta !== undefined) {
      this.#deltas.add({ ...delta, bytes: size });
    } else if (isBackupFile(file) && !file.startsWith(".")) {
      this.#baseHash.update(`${JSON.stringify([key, size, modified.getTime(), tag])}\n`);
      if (this.#baseFiles.size < MAX_BASE_FILES) this.#baseFiles.set(file, object);
    }
  }

  /** Undefined if the folder has no file of this program. */
  end(): ListedStream | undefined {
    if (this.#files === 0) return undefined;
    const { name } = this;
    const deltas = this.#deltas.end();
    const { runs, gaps, problem: contradiction } = runsOf(deltas, name.firstRevision);
    const { newest } = deltas;
    const problems = [
      deltas.overflows ? `it has more than ${MAX_DELTAS} deltas` : undefined,
      contradiction,
      this.#foreign === undefined
        ? undefined
        : `${this.#foreign} belongs to another program, so the stream cannot be deleted or pruned`,
    ].filter((problem) => problem !== undefined);
    const stream = {
      name,
      deltas,
      runs,
      gaps,
      first: newest && deltas.at(0).first,
      last: newest?.last,
      lastSeen: newest?.time,
      left: { files: this.#files, bytes: this.#bytes, modified: this.#modified },
      problem: problems.length === 0 ? undefined : problems.join("; "),
      foreign: this.#foreign,
    };
    const baseFingerprint = this.#baseHash.digest("base64");
    return { name, stream, baseFiles: this.#baseFiles, baseFingerprint };
  }
}
