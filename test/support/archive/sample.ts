import { mkdir } from "node:fs/promises";
import {
  BackupKeys,
  type PassphraseBytes,
  PassphraseKeys,
} from "../../../src/archive/crypto/backup-keys.js";
import { BackupWriter } from "../../../src/archive/backup-writer.js";
import { CborWriter } from "../../../src/archive/cbor.js";
import type { EntryName } from "../../../src/archive/tar/entry-path.js";
import { FolderTarget } from "../../../src/archive/folder-target.js";
import type { Place } from "../../../src/archive/index/index-items.js";
import type { BackupCounts, Metadata } from "../../../src/archive/metadata.js";
import { RecordDigester } from "../../../src/archive/record-digest.js";
import {
  type ArchivedLease,
  type ArchivedPair,
  type ArchivedRecord,
  encodeRecord,
  type Tombstone,
} from "../../../src/archive/records.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { writeSnapshot } from "../../../src/archive/snapshot/write-snapshot.js";

/** The lowest cost of the format: tests open thousands of backups. */
export const CHEAP_KDF = { memoryKiB: 8, passes: 1, lanes: 1 } as const;
export const SAMPLE_PASSPHRASE = "fixture passphrase";

export interface SampleObject extends EntryName {
  readonly data: Uint8Array;
  readonly mtime: bigint;
  readonly version: bigint;
  readonly xattrs?: readonly ArchivedPair[];
  readonly omapHeader?: Uint8Array;
  readonly omap?: readonly ArchivedPair[];
  /** Further pages of the omap. */
  readonly omapPages?: readonly (readonly ArchivedPair[])[];
  /** Attempts before the one that counts, each void. */
  readonly torn?: number;
  /** Void attempts with other contents; without `data`, the change was noticed before it. */
  readonly attempts?: readonly Partial<SampleObject>[];
}

/** A raw snapshot, whose bytes need not be a database. */
export interface SampleSnapshot {
  readonly mode: "raw" | "both";
  readonly bytes: Uint8Array;
  /** The attempts before it, which are void. */
  readonly attempts?: readonly Uint8Array[];
}

export interface SampleContents {
  readonly objects?: readonly SampleObject[];
  readonly records?: readonly ArchivedRecord[];
  readonly leases?: readonly ArchivedLease[];
  readonly tombstones?: readonly Tombstone[];
  /** Objects and keys of the base, which are only in the index. */
  readonly unchanged?: { readonly objects: readonly SampleObject[]; readonly at: Place };
  /** The part of etcd that was read before a compaction: its records and keys are void. */
  readonly cutOff?: readonly ArchivedRecord[];
  readonly etcd?: boolean;
  readonly ceph?: boolean;
  /** Whether the index has digests of the records. */
  readonly digests?: boolean;
  /** Deleted pools of the base. */
  readonly gonePools?: readonly string[];
  /** An empty entry of leases: all had expired. */
  readonly noLeases?: boolean;
  readonly snapshot?: SampleSnapshot;
}

export interface SampleOptions {
  /** Bytes are those of an earlier version, which used them unchanged. */
  readonly passphrase?: PassphraseKeys | PassphraseBytes;
  readonly chunkBytes?: number;
  readonly archiveBytes?: number;
  readonly base?: { readonly id: string; readonly keys?: BackupKeys };
  /** The name in a store. */
  readonly snapshot?: string;
  /** New and random ones by default. */
  readonly keys?: BackupKeys;
}

/** An object in pool `pool` without optional parts. */
export function object(
  name: string | Uint8Array,
  data: string | Uint8Array,
  more: Partial<SampleObject> = {},
): SampleObject {
  return {
    pool: "pool",
    namespace: Buffer.alloc(0),
    locator: Buffer.alloc(0),
    name: Buffer.from(name),
    data: Buffer.from(data),
    mtime: 1_700_000_000_123_456_789n,
    version: 7n,
    ...more,
  };
}

export function record(key: string, value: string, lease = 0n): ArchivedRecord {
  return {
    key: Buffer.from(key),
    value: Buffer.from(value),
    createRevision: 2,
    modRevision: 3,
    version: 2,
    lease,
  };
}

export function samplePassphrase(text = SAMPLE_PASSPHRASE): PassphraseKeys {
  return new PassphraseKeys(Buffer.from(text));
}

/** Writes a backup of `contents` into `folder` as `create` does, without a cluster. */
export async function writeSample(
  folder: string,
  contents: SampleContents,
  options: SampleOptions = {},
): Promise<{ metadata: Metadata; keys: BackupKeys }> {
  await mkdir(folder, { recursive: true });
  const passphrase = options.passphrase ?? samplePassphrase();
  const bytes = passphrase instanceof PassphraseKeys ? passphrase.forNew : passphrase;
  const keys =
    options.keys ?? (await BackupKeys.create(bytes, CHEAP_KDF, options.base?.keys?.slot));
  const sealPool = new SealPool(1);
  const writer = new BackupWriter({
    target: new FolderTarget(folder),
    keys,
    sealPool,
    compressionLevel: 3,
    archiveBytes: options.archiveBytes ?? 1 << 30,
    ...(options.chunkBytes === undefined ? {} : { chunkBytes: options.chunkBytes }),
  });
  try {
    const baseId = options.base === undefined ? [] : [Buffer.from(options.base.id, "hex")];
    await writer.start(baseId);
    const pools = await writeObjects(writer, contents);
    const snapshot = await writeSnapshots(writer, contents.snapshot);
    const firstBatch = await writeRecords(writer, contents);
    if (contents.tombstones !== undefined) writer.tombstones(contents.tombstones);
    const metadata = await writer.finish({
      kind: options.base === undefined ? "full" : "incremental",
      base: options.base?.id ?? null,
      startedAt: "2026-01-02T03:04:05.000Z",
      finishedAt: "2026-01-02T03:04:06.000Z",
      toolVersion: "0.0.0-test",
      ...(options.snapshot === undefined ? {} : { snapshot: options.snapshot }),
      ceph:
        contents.ceph === false
          ? null
          : {
              fsid: "11111111-2222-3333-4444-555555555555",
              pools,
              poolIds: pools.map((_, i) => 1 + i),
              poolsCreated: pools.map((_, i) => 1_700_000_000_123_456 + i),
            },
      etcd:
        contents.etcd === false
          ? null
          : {
              clusterId: "14841639068965178418",
              revision: 9,
              firstBatch,
              restarts: contents.cutOff === undefined ? 0 : 1,
              ...snapshot,
            },
      counts: countsOf(contents),
    });
    return { metadata, keys };
  } finally {
    await writer.close();
    await sealPool.close();
  }
}

async function writeSnapshots(
  writer: BackupWriter,
  snapshot: SampleSnapshot | undefined,
): Promise<Pick<NonNullable<Metadata["etcd"]>, "mode" | "snapshot">> {
  if (snapshot === undefined) return {};
  const { mode, bytes, attempts = [] } = snapshot;
  const { signal } = new AbortController();
  const write = (from: Uint8Array) => writeSnapshot(writer, bytesOf(from), { signal });
  for (const attempt of attempts) await write(attempt);
  return { mode, snapshot: { revision: 9, compactRevision: 4, ...(await write(bytes)) } };
}

function bytesOf(bytes: Uint8Array) {
  return {
    size: bytes.length,
    read: async (target: Uint8Array, position: number) => {
      const part = bytes.subarray(position, position + target.length);
      target.set(part);
      return part.length;
    },
  };
}

async function writeObjects(writer: BackupWriter, contents: SampleContents): Promise<string[]> {
  const unchanged = contents.unchanged?.objects ?? [];
  const objects = contents.objects ?? [];
  const pools = [...new Set([...unchanged, ...objects].map(({ pool }) => pool))];
  for (const [ordinal, pool] of pools.entries()) writer.indexPool(ordinal, pool);
  for (const [i, pool] of (contents.gonePools ?? []).entries()) {
    writer.indexPool(pools.length + i, pool);
  }
  const index = (o: SampleObject, place: Place) =>
    writer.indexObject({
      pool: pools.indexOf(o.pool),
      namespace: o.namespace,
      locator: o.locator,
      name: o.name,
      size: o.data.length,
      mtime: o.mtime,
      version: o.version,
      ...place,
    });
  if (contents.unchanged !== undefined) {
    for (const o of unchanged) index(o, contents.unchanged.at);
  }
  for (const o of objects) {
    let place = await writer.place(o.data.length);
    for (let attempt = o.torn ?? 0; attempt > 0; attempt--) {
      await writeObject(writer, o);
      writer.torn(o);
      place = await writer.place(o.data.length);
    }
    for (const { data, ...attempt } of o.attempts ?? []) {
      const found = { ...o, ...attempt };
      writeAttributes(writer, found);
      if (data !== undefined) await writeData(writer, { ...found, data });
      writer.torn(o);
      place = await writer.place(o.data.length);
    }
    await writeObject(writer, o);
    index(o, place);
    await writer.ready();
  }
  return pools;
}

async function writeObject(writer: BackupWriter, o: SampleObject): Promise<void> {
  writeAttributes(writer, o);
  await writeData(writer, o);
}

function writeAttributes(writer: BackupWriter, o: SampleObject): void {
  const { xattrs = [], omapHeader = new Uint8Array(0), omap = [], omapPages = [] } = o;
  if (xattrs.length > 0 || omapHeader.length > 0 || omap.length > 0) {
    writer.attributes(o, { xattrs, omapHeader, omap });
  }
  for (const [i, page] of omapPages.entries()) writer.omapPage(o, i + 1, page);
}

async function writeData(writer: BackupWriter, o: SampleObject): Promise<void> {
  writer.beginData(o, o.data.length, o.mtime);
  const memory = new SharedArrayBuffer(o.data.length);
  Buffer.from(memory).set(o.data);
  await new Promise<void>((resolve) => {
    // A long slice is released only when its chunk is sealed, perhaps at the end of the file.
    if (o.data.length >= 16 << 10) resolve();
    writer.data({ memory, offset: 0, length: o.data.length }, resolve);
  });
  writer.endData();
}

async function writeRecords(writer: BackupWriter, contents: SampleContents): Promise<number> {
  const digester = new RecordDigester();
  const batch = async (records: readonly ArchivedRecord[]) => {
    const encoded = new CborWriter();
    for (const one of records) encodeRecord(encoded, one);
    const place = await writer.place(encoded.length);
    writer.records(encoded.view());
    for (const one of records) {
      const { key, modRevision, version } = one;
      const digest = contents.digests === true ? digester.digest(one) : undefined;
      writer.indexKey({ key, modRevision, version, ...place, digest });
    }
  };
  if (contents.cutOff !== undefined) {
    await batch(contents.cutOff);
    writer.indexRestart();
  }
  const firstBatch = writer.recordBatches;
  if (contents.noLeases === true) writer.leases([]);
  if (contents.leases !== undefined) writer.leases(contents.leases);
  const records = contents.records ?? [];
  // Two batches if there are enough records, so that tests cover their numbers.
  const half = Math.ceil(records.length / 2);
  for (const part of [records.slice(0, half), records.slice(half)]) {
    if (part.length > 0) await batch(part);
  }
  return firstBatch;
}

function countsOf(contents: SampleContents): BackupCounts {
  const objects = contents.objects ?? [];
  const tombstones = contents.tombstones ?? [];
  const deletedKeys = tombstones.filter(({ kind }) => kind === "key").length;
  return {
    objects: objects.length,
    objectBytes: objects.reduce((sum, { data }) => sum + data.length, 0),
    unchangedObjects: contents.unchanged?.objects.length ?? 0,
    deletedObjects: tombstones.length - deletedKeys,
    vanishedObjects: 0,
    missingObjects: 0,
    records: contents.records?.length ?? 0,
    unchangedKeys: 0,
    deletedKeys,
  };
}
