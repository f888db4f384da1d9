import { decode, encode } from "cborg";
import { damaged } from "./errors.js";
import { FORMAT_VERSION, METADATA_NAME } from "./format.js";
import type { BackupKind, FileFacts, Manifest } from "./manifest.js";

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

/** METADATA.bin: the sealed facts of a backup. */
export interface Metadata {
  readonly format: number;
  readonly id: string;
  readonly kind: BackupKind;
  readonly base: string | null;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly toolVersion: string;
  readonly chunkBytes: number;
  /** Bytes before compression. */
  readonly plainBytes: number;
  readonly ceph: { readonly fsid: string; readonly pools: readonly string[] } | null;
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
  const m = value as Partial<Metadata> | null;
  const well =
    m?.format === FORMAT_VERSION &&
    typeof m.id === "string" &&
    Array.isArray(m.files) &&
    typeof m.counts === "object" &&
    m.ceph !== undefined &&
    m.etcd !== undefined;
  if (!well) throw damaged("its facts are not complete", { file: METADATA_NAME });
  return m as Metadata;
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
