import { decode, encode, Tokenizer, Type } from "cborg";
import { damaged } from "./errors.js";
import {
  archiveName,
  FORMAT_VERSION,
  INDEX_NAME,
  MAX_ARCHIVE_FILES,
  MAX_CHUNK_BYTES,
  MAX_TEXT_BYTES,
  METADATA_NAME,
} from "./format.js";
import { type FileFacts, isFileFacts, isHex, type Manifest } from "./manifest/manifest.js";
import { isTime } from "./manifest/manifest-scanner.js";

/** How many things a backup holds, and leaves out: zeros, for a backup that is empty. */
export const NO_COUNTS = {
  /** Objects whose data is in this backup. */
  objects: 0,
  /** Their data, bytes. */
  objectBytes: 0,
  unchangedObjects: 0,
  deletedObjects: 0,
  /** Deleted between listing and reading. */
  vanishedObjects: 0,
  /** Could not be read, with `--keep-going`. */
  missingObjects: 0,
  records: 0,
  unchangedKeys: 0,
  deletedKeys: 0,
};

export type BackupCounts = { readonly [Name in keyof typeof NO_COUNTS]: number };

const COUNTS = Object.keys(NO_COUNTS) as (keyof BackupCounts)[];

/** The most objects in INDEX.bin: an object that could not be read is there when the base has it. */
export function mostIndexedObjects(counts: BackupCounts): number {
  return counts.objects + counts.unchangedObjects + counts.missingObjects;
}

/** How a backup holds etcd: its records at one revision, its database, or both. */
export type EtcdMode = "records" | "raw" | "both";

/** The raw snapshot of etcd in a backup: its database, as `Maintenance.Snapshot` streams it. */
export interface RawSnapshot {
  /** The revision of the database. */
  readonly revision: number;
  /** The revision up to which it is compacted; 0: not compacted. */
  readonly compactRevision: number;
  /** With the 32 bytes of its own SHA-256 at the end. */
  readonly bytes: number;
  /** Of all these bytes, in hexadecimal. */
  readonly sha256: string;
  /** The ARCHIVE file that begins with its first piece. */
  readonly file: number;
  /** `etcd/snapshot/` entries with a lower number are void. */
  readonly firstPiece: number;
}

/** METADATA.bin: the sealed facts of a backup. */
export interface Metadata extends Omit<Manifest, "etcdSnapshot"> {
  readonly toolVersion: string;
  /** The name of the backup in stores. Absent in a backup to a folder alone, or of an earlier version. */
  readonly snapshot?: string | undefined;
  readonly chunkBytes: number;
  /** Bytes before compression. */
  readonly plainBytes: number;
  readonly ceph: {
    readonly fsid: string;
    readonly pools: readonly string[];
    /** Of `pools`, in their order. Absent in a converted backup, or in one of an earlier version. */
    readonly poolIds?: readonly number[];
    /** Likewise: when they were created, microseconds since 1970; 0 where it is not known. */
    readonly poolsCreated?: readonly number[];
  } | null;
  readonly etcd: {
    readonly clusterId: string;
    readonly revision: number;
    /** `etcd/records/` entries with a lower number are void: etcd was read again from the start. */
    readonly firstBatch: number;
    /** Restart items in INDEX.bin; keys before the last of them are void. */
    readonly restarts: number;
    /** Absent: records. */
    readonly mode?: EtcdMode | undefined;
    /** With the modes `raw` and `both`. */
    readonly snapshot?: RawSnapshot | null | undefined;
  } | null;
  readonly counts: BackupCounts;
  /** Every sealed file but METADATA.bin. */
  readonly files: readonly FileFacts[];
}

/** Whether a backup holds records of etcd. */
export function holdsRecords(etcd: Metadata["etcd"]): boolean {
  return etcd !== null && etcd.mode !== "raw";
}

/** The ARCHIVE files, in order. */
export function archiveFiles({ files }: Pick<Metadata, "files">): readonly FileFacts[] {
  return files.filter((file) => file.name !== INDEX_NAME);
}

export function encodeMetadata(metadata: Metadata): Uint8Array {
  return encode(metadata);
}

/** Throws DAMAGED. */
export function decodeMetadata(bytes: Uint8Array): Metadata {
  let value: unknown;
  try {
    const options = { strict: true, allowIndefinite: false, rejectDuplicateMapKeys: true };
    const tokenizer = new OneFormTokenizer(bytes, { ...options, retainStringBytes: true });
    value = decode(bytes, { ...options, tokenizer });
  } catch (error) {
    throw damaged("its facts are not CBOR", { file: METADATA_NAME }, error);
  }
  if (!isMap(value)) throw damaged("its facts are not complete", { file: METADATA_NAME });
  const wrong = FACTS.find((fact) => !VALID[fact](value[fact], value));
  if (wrong !== undefined) {
    throw damaged(`its fact ${wrong} is not valid`, { file: METADATA_NAME });
  }
  return value as unknown as Metadata;
}

/** Throws for another form of the same value: a float for an integer, text that is not UTF-8. */
class OneFormTokenizer extends Tokenizer {
  override next() {
    const token = super.next();
    const { type, value, byteValue } = token;
    if (Type.equals(type, Type.float)) throw new Error("a float");
    const isText = byteValue !== undefined && Type.equals(type, Type.string);
    if (isText && Buffer.compare(Buffer.from(value), byteValue) !== 0) {
      throw new Error("text that is not UTF-8");
    }
    return token;
  }
}

type Facts = Partial<Record<keyof Metadata, unknown>>;

/** Whether a fact is valid, beside the others. Other keys are ignored. */
const VALID: Record<keyof Metadata, (value: unknown, facts: Facts) => boolean> = {
  format: (value) => value === FORMAT_VERSION,
  id: (value) => isHex(value, 32),
  kind: (value) => value === "full" || value === "incremental",
  base: (value, { kind, id }) =>
    kind === "full" ? value === null : isHex(value, 32) && value !== id,
  startedAt: (value) => isText(value) && isTime(value),
  finishedAt: (value) => isText(value) && isTime(value),
  toolVersion: isShort,
  snapshot: (value) => value === undefined || isShort(value),
  chunkBytes: (value) => isCount(value) && value > 0 && value <= MAX_CHUNK_BYTES,
  plainBytes: isCount,
  ceph: (value) => value === null || isCeph(value),
  etcd: (value) => value === null || isEtcd(value),
  counts: isCounts,
  files: isFiles,
};

const FACTS = Object.keys(VALID) as (keyof Metadata)[];

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCeph(value: unknown): boolean {
  if (!isMap(value)) return false;
  const { fsid, pools, poolIds, poolsCreated } = value;
  if (!isShort(fsid) || !Array.isArray(pools) || !pools.every(isText)) return false;
  if (new Set(pools).size !== pools.length) return false;
  return [poolIds, poolsCreated].every(
    (list) =>
      list === undefined ||
      (Array.isArray(list) && list.length === pools.length && list.every(isCount)),
  );
}

function isEtcd(value: unknown): boolean {
  if (!isMap(value)) return false;
  const { clusterId, revision, firstBatch, restarts, mode = "records", snapshot = null } = value;
  return (
    isShort(clusterId) &&
    isCount(revision) &&
    isCount(firstBatch) &&
    isCount(restarts) &&
    (restarts > 0 || firstBatch === 0) &&
    (mode === "records" || mode === "raw" || mode === "both") &&
    (mode === "records" ? snapshot === null : isRawSnapshot(snapshot)) &&
    (mode !== "raw" || (restarts === 0 && isMap(snapshot) && snapshot["revision"] === revision))
  );
}

function isRawSnapshot(value: unknown): boolean {
  if (!isMap(value)) return false;
  const { revision, compactRevision, bytes, sha256, file, firstPiece } = value;
  return (
    isCount(revision) &&
    revision > 0 &&
    isCount(compactRevision) &&
    compactRevision <= revision &&
    isCount(bytes) &&
    bytes > 0 &&
    isHex(sha256, 64) &&
    isCount(file) &&
    isCount(firstPiece)
  );
}

/** Counts that are zero without a base. */
const INCREMENTAL_COUNTS: readonly (keyof BackupCounts)[] = [
  "unchangedObjects",
  "deletedObjects",
  "unchangedKeys",
  "deletedKeys",
];

function isCounts(value: unknown, { kind }: Facts): boolean {
  if (!isMap(value) || !COUNTS.every((name) => isCount(value[name]))) return false;
  return kind === "incremental" || INCREMENTAL_COUNTS.every((name) => value[name] === 0);
}

/** The ARCHIVE files from 0 without gaps, then INDEX.bin. */
function isFiles(value: unknown): boolean {
  if (!Array.isArray(value) || !value.every(isFileFacts)) return false;
  const archives = value.length - 1;
  return (
    archives >= 1 &&
    archives <= MAX_ARCHIVE_FILES &&
    value.every(({ name }, i) => name === (i < archives ? archiveName(i) : INDEX_NAME))
  );
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isShort(value: unknown): value is string {
  return isText(value) && Buffer.byteLength(value) <= MAX_TEXT_BYTES;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Throws DAMAGED where MANIFEST.json and METADATA.bin differ. */
export function checkManifest(manifest: Manifest, metadata: Metadata): void {
  const differs = (what: string) =>
    damaged(`MANIFEST.json and ${METADATA_NAME} differ in ${what}`, { file: "MANIFEST.json" });
  for (const fact of ["id", "kind", "base", "startedAt", "finishedAt"] as const) {
    if (manifest[fact] !== metadata[fact]) throw differs(fact);
  }
  if (manifest.etcdSnapshot !== metadata.etcd?.snapshot?.revision) throw differs("etcdSnapshot");
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
