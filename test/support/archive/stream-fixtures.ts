import { createHash } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BackupKeys, PassphraseKeys } from "../../../src/archive/crypto/backup-keys.js";
import { changesDigest } from "../../../src/archive/delta/changes-digest.js";
import { DeltaWriter, type SealedDelta } from "../../../src/archive/delta/delta-writer.js";
import type { ArchivedRevision } from "../../../src/archive/delta/revision.js";
import { ArchiveError } from "../../../src/archive/errors.js";
import type { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { type DeltaName, deltaName } from "../../../src/snapshots/streams/delta-name.js";
import { listStreams } from "../../../src/snapshots/streams/list-streams.js";
import { LogError } from "../../../src/snapshots/streams/log-errors.js";
import { readLog } from "../../../src/snapshots/streams/log-reader.js";
import { streamName } from "../../../src/snapshots/streams/stream-name.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { revision } from "./deltas.js";
import { fixedKeys } from "./fixed-keys.js";
import { DeltaForger, type DeltaItems } from "./forged-deltas.js";

/** What is read of the streams in a folder. */
export interface LogRange {
  readonly after: number;
  readonly upTo: number;
}

/** One line for each revision. */
export function lineOf({ revision, seenMs, changes, leases }: ArchivedRevision): string {
  const kvs = changes.map(({ deleted, kv }) => [
    deleted ? "delete" : "put",
    Buffer.from(kv).toString("hex"),
  ]);
  return JSON.stringify([
    revision,
    seenMs,
    kvs,
    leases.map(({ id, grantedTtl }) => [String(id), grantedTtl]),
  ]);
}

/** SHA-256 of all lines. */
export function linesDigest(lines: readonly string[]): string {
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}

/** Reads the streams in a folder as a restore does. Rethrows untyped errors. */
export async function readStreams(
  folder: string,
  { after, upTo }: LogRange,
  passphrase: PassphraseKeys,
  pool: SealPool,
): Promise<{ lines: string[]; error: ArchiveError | LogError | undefined }> {
  const { signal } = new AbortController();
  const store = new LocalStore({ provider: "Local", container: folder, prefix: "" });
  const lines: string[] = [];
  try {
    const streams = await listStreams(store, signal);
    const options = { after, upTo, passphrase, pool, signal };
    for await (const batch of readLog([{ store, streams }], options)) {
      lines.push(...batch.map(lineOf));
    }
    return { lines, error: undefined };
  } catch (error) {
    if (error instanceof ArchiveError || error instanceof LogError) return { lines, error };
    throw error;
  } finally {
    await store.close();
  }
}

/** The file that an error of a log is about, without the name of its stream. */
export function fileOf(error: ArchiveError | LogError): string | null {
  return error instanceof LogError ? null : (error.file?.split("/").at(-1) ?? null);
}

/** Streams in a folder that are written with fixed keys, and changed. */
export class FixtureStream {
  readonly forger: DeltaForger;
  #sealed: SealedDelta[] = [];

  private constructor(
    readonly root: string,
    readonly name: string,
    readonly keys: BackupKeys,
  ) {
    this.forger = new DeltaForger(keys, name);
  }

  /** Writes the revisions of a new stream, with as many in each delta as `lengths` says. */
  static async write(
    root: string,
    label: string,
    pool: SealPool,
    options: {
      readonly first?: number;
      readonly time?: number;
      readonly lengths?: readonly number[];
      readonly before?: Uint8Array;
      readonly hole?: { readonly from: number; readonly to: number; readonly reason: string };
      readonly history?: (revision: number) => ArchivedRevision;
      readonly compactRevision?: number;
      readonly chunkBytes?: number;
      readonly cluster?: string;
    } = {},
  ): Promise<FixtureStream> {
    const { first = 5, time = 1000, lengths = [3, 2, 3], before = null, hole } = options;
    const { history = (number) => revision(number), compactRevision = 0 } = options;
    const keys = await fixedKeys(label);
    const id = Buffer.from(keys.backupId).toString("hex");
    const { text } = streamName({ firstRevision: first, time, id });
    const stream = new FixtureStream(root, text, keys);
    const { chunkBytes = 512, cluster: clusterId = stream.forger.cluster } = options;
    await mkdir(join(root, text), { recursive: true });
    const writer = new DeltaWriter({
      ...{ keys, pool, stream: text, clusterId, firstRevision: first },
      ...{ before, hole: hole ?? null, chunkBytes },
    });
    for (const length of lengths) {
      const from = writer.nextRevision;
      const part = Array.from({ length }, (_, i) => history(from + i));
      const sealed = await writer.seal(part, compactRevision);
      stream.#sealed.push(sealed);
      await writeFile(join(root, text, deltaName(sealed)), sealed.bytes);
    }
    return stream;
  }

  get folder(): string {
    return join(this.root, this.name);
  }

  sealed(number: number): SealedDelta {
    const sealed = this.#sealed[number];
    if (sealed === undefined) throw new Error(`no delta ${number}`);
    return sealed;
  }

  /** Replaces the bytes of a delta. */
  async replace(number: number, bytes: Uint8Array): Promise<void> {
    await writeFile(join(this.folder, deltaName(this.sealed(number))), bytes);
  }

  async remove(number: number): Promise<void> {
    await rm(join(this.folder, deltaName(this.sealed(number))));
  }

  /** Gives a delta another name. */
  async rename(number: number, name: Partial<DeltaName>): Promise<void> {
    const sealed = this.sealed(number);
    const [from, to] = [deltaName(sealed), deltaName({ ...sealed, ...name })];
    await rename(join(this.folder, from), join(this.folder, to));
  }

  async renameFolder(name: string): Promise<void> {
    await rename(this.folder, join(this.root, name));
  }

  /** The items of a delta as they were written. */
  items(number: number): DeltaItems {
    const { first, last } = this.sealed(number);
    const all = Array.from({ length: last - first + 1 }, (_, i) => revision(first + i));
    const before = number === 0 ? null : changesDigest(revision(first - 1).changes);
    return this.forger.items(all, before);
  }

  /** Replaces a delta by one whose items `change` has changed. */
  async forge(number: number, change: (items: DeltaItems) => void): Promise<void> {
    const items = this.items(number);
    change(items);
    await this.replace(number, this.forger.file(number, items));
  }
}
