import { EtcdFileError } from "./errors.js";
import { PAGE_HEADER_BYTES } from "./page.js";
import { type RandomAccess, readFully } from "./random-access.js";
import { readUint64, writeUint64 } from "./uint64.js";

/** The entry point of a database: one of two, of which the valid one with the higher transaction id counts. */
export interface Meta {
  /** Bytes. */
  readonly pageSize: number;
  /** Page of the bucket that holds the names of all buckets. */
  readonly root: number;
  /** Pages in use or free are below this one. */
  readonly pageCount: number;
  readonly transaction: number;
}

// Layout of `meta` in bbolt's db.go, behind the header of pages 0 and 1.
const MAGIC = 0xed0cdaed;
const VERSION = 2;
const ROOT = 16;
const FREELIST = 32;
const HIGH_WATER = 40;
const TRANSACTION = 48;
const CHECKSUM = 56;
export const META_BYTES = 64;
const META_FLAG = 4;
/** No list of free pages is stored: bbolt looks for them when it opens the file. */
const NO_FREELIST = 0xffff_ffff_ffff_ffffn;

/** Far more than there can be: room for the transactions of a database that is written. */
const MAX_TRANSACTION = 2 ** 52;

/** bbolt takes the page size of the machine that made the file: 4 KiB nearly always, 64 KiB at most. */
const PAGE_SIZES = [4096, 8192, 16384, 32768, 65536, 2048, 1024];

/** @throws EtcdFileError */
export async function readMeta(file: RandomAccess, bytes: number, where: string): Promise<Meta> {
  const first = await metaAt(file, 0);
  // Where the first one is damaged, the second one is looked for at each size of a page.
  const sizes = first === undefined ? PAGE_SIZES : [first.pageSize];
  let meta = first;
  for (const size of sizes) {
    const second = await metaAt(file, size);
    if (second?.pageSize !== size) continue;
    if (meta === undefined || second.transaction > meta.transaction) meta = second;
    break;
  }
  if (meta === undefined) {
    throw new EtcdFileError("ETCD_FILE_NOT_A_DATABASE", where, "is not a database of etcd");
  }
  const { pageSize, pageCount, root } = meta;
  if (!PAGE_SIZES.includes(pageSize)) {
    throw new EtcdFileError("ETCD_FILE_UNSUPPORTED", where, `has pages of ${pageSize} bytes`);
  }
  if (pageCount * pageSize > bytes) {
    throw new EtcdFileError(
      "ETCD_FILE_TRUNCATED",
      where,
      `is truncated: it has ${bytes} of ${pageCount * pageSize} bytes`,
    );
  }
  if (root < 2 || root >= pageCount || meta.transaction > MAX_TRANSACTION) {
    throw new EtcdFileError("ETCD_FILE_DAMAGED", where, "its entry point is damaged");
  }
  return meta;
}

async function metaAt(file: RandomAccess, position: number): Promise<Meta | undefined> {
  const page = Buffer.alloc(PAGE_HEADER_BYTES + META_BYTES);
  if ((await readFully(file, page, position)) < page.length) return undefined;
  const meta = page.subarray(PAGE_HEADER_BYTES);
  if (meta.readUInt32LE(0) !== MAGIC || meta.readUInt32LE(4) !== VERSION) return undefined;
  if (meta.readBigUInt64LE(CHECKSUM) !== fnv1a(meta.subarray(0, CHECKSUM))) return undefined;
  return {
    pageSize: meta.readUInt32LE(8),
    root: readUint64(meta, ROOT),
    pageCount: readUint64(meta, HIGH_WATER),
    transaction: readUint64(meta, TRANSACTION),
  };
}

/** Both pages of metas for a database whose root is written: the second one counts. */
export function encodeMetas(meta: Meta): Buffer {
  const pages = Buffer.alloc(2 * meta.pageSize);
  for (const transaction of [meta.transaction, meta.transaction + 1]) {
    const id = transaction % 2;
    encodeMeta({ ...meta, transaction }, id, pages.subarray(id * meta.pageSize));
  }
  return pages;
}

function encodeMeta(
  { pageSize, root, pageCount, transaction }: Meta,
  id: number,
  page: Buffer,
): void {
  writeUint64(page, 0, id);
  page.writeUInt16LE(META_FLAG, 8);
  const meta = page.subarray(PAGE_HEADER_BYTES);
  meta.writeUInt32LE(MAGIC, 0);
  meta.writeUInt32LE(VERSION, 4);
  meta.writeUInt32LE(pageSize, 8);
  writeUint64(meta, ROOT, root);
  meta.writeBigUInt64LE(NO_FREELIST, FREELIST);
  writeUint64(meta, HIGH_WATER, pageCount);
  writeUint64(meta, TRANSACTION, transaction);
  meta.writeBigUInt64LE(fnv1a(meta.subarray(0, CHECKSUM)), CHECKSUM);
}

/** FNV-1a with 64 bits (draft-eastlake-fnv). */
function fnv1a(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}
