/** The numbers of docs/format.md. */

export const MAGIC = Buffer.from("BKPTOOL1", "latin1");
/** Leading bytes that every version of the format shares. */
export const MAGIC_PREFIX = Buffer.from("BKPTOOL", "latin1");
export const FORMAT_VERSION = 1;

/** What a sealed file holds. */
export const FileType = { archive: 1, index: 2, metadata: 3, delta: 4 } as const;
export type FileType = (typeof FileType)[keyof typeof FileType];

export const METADATA_NAME = "METADATA.bin";
export const INDEX_NAME = "INDEX.bin";
export const MANIFEST_NAME = "MANIFEST.json";
export const MAX_ARCHIVE_FILES = 100_000;

/** `ARCHIVE00000.bin` and on. */
export function archiveName(number: number): string {
  return `ARCHIVE${String(number).padStart(5, "0")}.bin`;
}

/** Whether this is the name of a file of a backup, finished or not. */
export function isBackupFile(name: string): boolean {
  return /^\.?(ARCHIVE\d{5}\.bin|INDEX\.bin|METADATA\.bin|MANIFEST\.json)(\.partial)?$/.test(name);
}

export const DEFAULT_CHUNK_BYTES = 2 << 20;
/** Larger chunks are rejected: a reader must hold several in memory. */
export const MAX_CHUNK_BYTES = 64 << 20;

export const KEY_BYTES = 32;
export const NONCE_BYTES = 24;
export const TAG_BYTES = 16;
export const MAC_BYTES = 32;
export const BACKUP_ID_BYTES = 16;
/** Bytes of a header before its slots. */
export const HEADER_FIXED_BYTES = 38;
/** Most bytes of a header, slots and MAC included. */
export const MAX_HEADER_BYTES = 64 << 10;
/** Longest entry of a tar other than data, and longest item of INDEX.bin: readers keep them in memory. */
export const MAX_ENTRY_BYTES = 80 << 20;
/** Most items of one entry: readers make an object of each. */
export const MAX_ENTRY_ITEMS = 1 << 18;
/** Most deltas of a stream: at one each ten seconds, more than a day. */
export const MAX_DELTAS = 10_000;
/** Most bytes of content in a delta. Readers keep one revision of it in memory. */
export const MAX_DELTA_BYTES = 256 << 20;
/** Most changes of one revision: readers make an object of each. */
export const MAX_REVISION_CHANGES = 1 << 21;
/** Bytes of a piece of a raw snapshot; the last has 1 byte at least. */
export const SNAPSHOT_PIECE_BYTES = 16 << 20;
/** Longest text in METADATA.bin, bytes of UTF-8; only names of pools may be longer. */
export const MAX_TEXT_BYTES = 256;
/** Bytes of the length before each chunk. */
export const FRAME_BYTES = 4;

/** Longest ciphertext of a chunk: the bound of zstd on incompressible data, and the tag. */
export function maxSealedChunk(chunkBytes: number): number {
  return chunkBytes + (chunkBytes >>> 8) + 64 + TAG_BYTES;
}

/** Nonce of a chunk: its number as u64 little-endian, 1 for the last chunk else 0, then zeros. */
export function chunkNonce(index: number, last: boolean): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES);
  new DataView(nonce.buffer).setBigUint64(0, BigInt(index), true);
  nonce[8] = last ? 1 : 0;
  return nonce;
}
