import { CborError, type CborReader, type CborWriter } from "../cbor.js";
import { RECORD_DIGEST_BYTES } from "../record-digest.js";

/** Items of INDEX.bin: docs/format.md, "INDEX.bin". */

/** The place of an entry: a backup of the chain, an ARCHIVE file, an offset in its plaintext. */
export interface Place {
  /** Ordinal in the chain; 0 is the backup of this index. */
  readonly backup: number;
  readonly file: number;
  /** Offset of the first tar block of the object or records, bytes of plaintext. */
  readonly offset: number;
}

export interface IndexedObject extends Place {
  readonly kind: "object";
  /** Ordinal of a {@link IndexedPool} before it. */
  readonly pool: number;
  readonly namespace: Uint8Array;
  readonly locator: Uint8Array;
  readonly name: Uint8Array;
  readonly size: number;
  readonly mtime: bigint;
  readonly version: bigint;
}

export interface IndexedKey extends Place {
  readonly kind: "key";
  readonly key: Uint8Array;
  readonly modRevision: number;
  readonly version: number;
  /** Of its record, {@link RECORD_DIGEST_BYTES}; undefined in indexes of earlier versions. */
  readonly digest?: Uint8Array | undefined;
}

export interface IndexedBackup {
  readonly kind: "backup";
  readonly backup: number;
  readonly id: Uint8Array;
}

export interface IndexedPool {
  readonly kind: "pool";
  readonly pool: number;
  readonly name: string;
}

/** Makes the keys before it void: etcd was read again from the start. */
interface IndexRestart {
  readonly kind: "restart";
}

export type IndexItem = IndexedObject | IndexedKey | IndexedBackup | IndexedPool | IndexRestart;

const Tag = { backup: 0, pool: 1, object: 2, key: 3, restart: 4 } as const;

export function encodeIndexRestart(out: CborWriter): void {
  out.array(1);
  out.uint(Tag.restart);
}

export function encodeIndexedBackup(out: CborWriter, backup: number, id: Uint8Array): void {
  out.array(3);
  out.uint(Tag.backup);
  out.uint(backup);
  out.bytes(id);
}

export function encodeIndexedPool(out: CborWriter, pool: number, name: string): void {
  out.array(3);
  out.uint(Tag.pool);
  out.uint(pool);
  out.text(name);
}

export function encodeIndexedObject(out: CborWriter, item: Omit<IndexedObject, "kind">): void {
  out.array(11);
  out.uint(Tag.object);
  out.uint(item.pool);
  out.bytes(item.namespace);
  out.bytes(item.locator);
  out.bytes(item.name);
  out.uint(item.size);
  out.int64(item.mtime);
  out.int64(item.version);
  out.uint(item.backup);
  out.uint(item.file);
  out.uint(item.offset);
}

export function encodeIndexedKey(out: CborWriter, item: Omit<IndexedKey, "kind">): void {
  out.array(item.digest === undefined ? 7 : 8);
  out.uint(Tag.key);
  out.bytes(item.key);
  out.uint(item.modRevision);
  out.uint(item.version);
  out.uint(item.backup);
  out.uint(item.file);
  out.uint(item.offset);
  if (item.digest !== undefined) out.bytes(item.digest);
}

export function decodeIndexItem(from: CborReader): IndexItem {
  const items = from.array();
  const tag = from.uint();
  if (tag === Tag.object && items === 11) {
    return {
      kind: "object",
      pool: from.uint(),
      namespace: from.bytes(),
      locator: from.bytes(),
      name: from.bytes(),
      size: from.uint(),
      mtime: from.int64(),
      version: from.uint64(),
      backup: from.uint(),
      file: from.uint(),
      offset: from.uint(),
    };
  }
  if (tag === Tag.key && (items === 7 || items === 8)) {
    const key: IndexedKey = {
      kind: "key",
      key: from.bytes(),
      modRevision: from.uint(),
      version: from.uint(),
      backup: from.uint(),
      file: from.uint(),
      offset: from.uint(),
    };
    return items === 7 ? key : { ...key, digest: digestIn(from) };
  }
  if (tag === Tag.backup && items === 3) {
    return { kind: "backup", backup: from.uint(), id: from.bytes() };
  }
  if (tag === Tag.pool && items === 3) {
    return { kind: "pool", pool: from.uint(), name: from.text() };
  }
  if (tag === Tag.restart && items === 1) return { kind: "restart" };
  throw new CborError("an index item of a wrong shape");
}

function digestIn(from: CborReader): Uint8Array {
  const digest = from.bytes();
  if (digest.length !== RECORD_DIGEST_BYTES) throw new CborError("a digest of a wrong length");
  return digest;
}
