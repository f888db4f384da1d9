import { BytesFile } from "../../../src/archive/backup-files.js";
import { BackupKeys } from "../../../src/archive/crypto/backup-keys.js";
import { DeltaReader, type NamedDelta } from "../../../src/archive/delta/delta-reader.js";
import {
  DeltaWriter,
  type NewStream,
  type SealedDelta,
} from "../../../src/archive/delta/delta-writer.js";
import type { ArchivedRevision } from "../../../src/archive/delta/revision.js";
import type { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { streamName } from "../../../src/snapshots/streams/stream-name.js";
import { CHEAP_KDF, samplePassphrase } from "./sample.js";

export const CLUSTER_ID = "cdf818194e3a8c32";

/** A revision with one put, unless told otherwise; its bytes depend on its number and on `what`. */
export function revision(
  number: number,
  { what = "", seenMs = 1_000_000 + number * 100, changes = 1 } = {},
): ArchivedRevision {
  return {
    revision: number,
    seenMs,
    changes: Array.from({ length: changes }, (_, i) => ({
      deleted: (number + i) % 5 === 0,
      kv: Buffer.from(`key ${number}/${i} ${what}`),
    })),
    leases: number % 7 === 0 ? [{ id: BigInt(number) << 30n, grantedTtl: 60 }] : [],
  };
}

export function revisions(first: number, last: number, what = ""): ArchivedRevision[] {
  return Array.from({ length: last - first + 1 }, (_, i) => revision(first + i, { what }));
}

export function idOf(keys: BackupKeys): string {
  return Buffer.from(keys.backupId).toString("hex");
}

/** A new stream in memory, with its own keys. */
export class SampleStream {
  readonly writer: DeltaWriter;
  readonly sealed: SealedDelta[] = [];

  private constructor(
    readonly keys: BackupKeys,
    readonly pool: SealPool,
    readonly name: string,
    facts: Partial<NewStream> & { readonly chunkBytes?: number },
    firstRevision: number,
  ) {
    const options = { clusterId: CLUSTER_ID, before: null, ...facts };
    this.writer = new DeltaWriter({ ...options, keys, pool, stream: name, firstRevision });
  }

  static async start(
    pool: SealPool,
    firstRevision: number,
    facts: Partial<NewStream> & {
      readonly chunkBytes?: number;
      readonly time?: number;
      readonly keys?: BackupKeys;
    } = {},
  ): Promise<SampleStream> {
    const keys = facts.keys ?? (await BackupKeys.create(samplePassphrase().forNew, CHEAP_KDF));
    const { text } = streamName({ firstRevision, time: facts.time ?? 1000, id: idOf(keys) });
    return new SampleStream(keys, pool, text, facts, firstRevision);
  }

  async seal(...parts: (readonly ArchivedRevision[])[]): Promise<this> {
    for (const part of parts) this.sealed.push(await this.writer.seal(part, 0));
    return this;
  }

  /** What the names say about a delta. */
  named(number: number): NamedDelta {
    const sealed = this.sealed[number];
    if (sealed === undefined) throw new Error(`no delta ${number}`);
    const { first, last, time } = sealed;
    return { stream: this.name, number, first, last, time };
  }

  /** Opens a delta, or other bytes or another name in its place. */
  async open(
    number: number,
    { bytes = this.sealed[number]?.bytes ?? Buffer.of(), expected = this.named(number) } = {},
  ): Promise<DeltaReader> {
    const file = new BytesFile(bytes);
    const { keys, pool } = this;
    return await DeltaReader.open({ name: `delta ${number}`, file, keys, pool, expected });
  }

  /** All revisions of a delta; parameters as of {@link open}. */
  async read(...args: Parameters<SampleStream["open"]>): Promise<ArchivedRevision[]> {
    const reader = await this.open(...args);
    const all: ArchivedRevision[] = [];
    for await (const batch of reader.revisions()) all.push(...batch);
    return all;
  }
}
