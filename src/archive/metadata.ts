import { decode, encode } from "cborg";
import { damaged } from "./errors.js";
import { FORMAT_VERSION, METADATA_NAME } from "./format.js";
import { type FileFacts, isFileFacts, isHex, type Manifest } from "./manifest.js";

/** How much of what a backup holds and left out. */
export interface BackupCounts {
  /** Objects with their bytes in this backup. */
  readonly objects: number;
  /** Their data, bytes. */
  readonly objectBytes: number;
  readonly unchangedObjects: number;
  readonly deletedObjects: number;
  /** Gone between listing and reading. */
  readonly vanishedObjects: number;
  /** Could not be read (`--keep-going`). */
  readonly missingObjects: number;
  readonly records: number;
  readonly unchangedKeys: number;
  readonly deletedKeys: number;
}

/** The counts of a backup that holds nothing. */
export const NO_COUNTS: BackupCounts = {
  objects: 0,
  objectBytes: 0,
  unchangedObjects: 0,
  deletedObjects: 0,
  vanishedObjects: 0,
  missingObjects: 0,
  records: 0,
  unchangedKeys: 0,
  deletedKeys: 0,
};

const COUNTS = Object.keys(NO_COUNTS) as (keyof BackupCounts)[];

/** Items of objects that INDEX.bin has at most: what could not be read stays when the base has it. */
export function mostIndexedObjects(counts: BackupCounts): number {
  return counts.objects + counts.unchangedObjects + counts.missingObjects;
}

/** METADATA.bin: the sealed facts of a backup. */
export interface Metadata extends Manifest {
  readonly toolVersion: string;
  /** The name that the backup was given in a store. Absent where it was made in a folder alone, or by an older program. */
  readonly snapshot?: string | undefined;
  readonly chunkBytes: number;
  /** Bytes before compression. */
  readonly plainBytes: number;
  readonly ceph: {
    readonly fsid: string;
    readonly pools: readonly string[];
    /** Of `pools`, in their order. A converted archive has none, nor has one that was made before there were any. */
    readonly poolIds?: readonly number[];
    /** When the cluster made them, microseconds since 1970; 0 where it is not known. Likewise. */
    readonly poolsCreated?: readonly number[];
  } | null;
  readonly etcd: {
    readonly clusterId: string;
    readonly revision: number;
    /** `etcd/records/` entries with a lower number are void: the etcd part was started again. */
    readonly firstBatch: number;
    /** Restart items in INDEX.bin; keys before the last of them are void. */
    readonly restarts: number;
  } | null;
  readonly counts: BackupCounts;
  /** Every sealed file but METADATA.bin. */
  readonly files: readonly FileFacts[];
}

export function encodeMetadata(metadata: Metadata): Uint8Array {
  return encode(metadata);
}

/** Throws DAMAGED: only a broken writer could have sealed what is refused here. */
export function decodeMetadata(bytes: Uint8Array): Metadata {
  let value: unknown;
  try {
    value = decode(bytes);
  } catch (error) {
    throw damaged("its facts are not CBOR", { file: METADATA_NAME }, error);
  }
  if (!isMetadata(value)) throw damaged("its facts are not complete", { file: METADATA_NAME });
  return value;
}

type Unchecked<T> = Partial<Record<keyof T, unknown>>;

function isMetadata(value: unknown): value is Metadata {
  if (typeof value !== "object" || value === null) return false;
  const m = value as Unchecked<Metadata>;
  return (
    m.format === FORMAT_VERSION &&
    isHex(m.id, 32) &&
    (m.kind === "full" ? m.base === null : m.kind === "incremental" && isHex(m.base, 32)) &&
    isText(m.startedAt) &&
    isText(m.finishedAt) &&
    isText(m.toolVersion) &&
    (m.snapshot === undefined || isText(m.snapshot)) &&
    isCount(m.chunkBytes) &&
    isCount(m.plainBytes) &&
    (m.ceph === null || isCeph(m.ceph)) &&
    (m.etcd === null || isEtcd(m.etcd)) &&
    isCounts(m.counts) &&
    Array.isArray(m.files) &&
    m.files.every(isFileFacts)
  );
}

function isCeph(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { fsid, pools, poolIds, poolsCreated } = value as Unchecked<NonNullable<Metadata["ceph"]>>;
  if (!isText(fsid) || !Array.isArray(pools) || !pools.every(isText)) return false;
  return [poolIds, poolsCreated].every(
    (list) =>
      list === undefined ||
      (Array.isArray(list) && list.length === pools.length && list.every(isCount)),
  );
}

function isEtcd(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const e = value as Unchecked<NonNullable<Metadata["etcd"]>>;
  return isText(e.clusterId) && isCount(e.revision) && isCount(e.firstBatch) && isCount(e.restarts);
}

function isCounts(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const counts = value as Unchecked<BackupCounts>;
  return COUNTS.every((name) => isCount(counts[name]));
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Throws DAMAGED where the open manifest and the sealed facts differ. */
export function checkManifest(manifest: Manifest, metadata: Metadata): void {
  const differs = (what: string) =>
    damaged(`MANIFEST.json and ${METADATA_NAME} differ in ${what}`, { file: "MANIFEST.json" });
  for (const fact of ["id", "kind", "base", "startedAt", "finishedAt"] as const) {
    if (manifest[fact] !== metadata[fact]) throw differs(fact);
  }
  const listed = manifest.files.filter((file) => file.name !== METADATA_NAME);
  const same =
    listed.length === metadata.files.length &&
    listed.length + 1 === manifest.files.length &&
    metadata.files.every((file, i) => {
      const other = listed[i];
      return file.name === other?.name && file.size === other.size && file.sha256 === other.sha256;
    });
  if (!same) throw differs("their files");
}
