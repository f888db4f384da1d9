import { encodeMetas } from "../../../src/sources/etcd/file/meta.js";
import type { EtcdRevision } from "../../../src/sources/etcd/history.js";

const LEAF = 2;
const BUCKET = 1;
const HEADER = 16;
const ELEMENT = 16;

/** A database of an etcd that nothing was ever written to, with pages of any size. Without a SHA-256 at its end. */
export function emptyDatabase(pageSize: number): Buffer {
  const empty = Buffer.alloc(HEADER);
  empty.writeUInt16LE(LEAF, 8);
  const bucket = Buffer.concat([Buffer.alloc(16), empty]);
  const names = ["key", "lease", "members", "meta"].map((name) => Buffer.from(name));
  const page = Buffer.alloc(pageSize);
  page.writeUInt32LE(2, 0);
  page.writeUInt16LE(LEAF, 8);
  page.writeUInt16LE(names.length, 10);
  let data = HEADER + ELEMENT * names.length;
  for (const [i, name] of names.entries()) {
    const at = HEADER + ELEMENT * i;
    page.writeUInt32LE(BUCKET, at);
    page.writeUInt32LE(data - at, at + 4);
    page.writeUInt32LE(name.length, at + 8);
    page.writeUInt32LE(bucket.length, at + 12);
    data += name.copy(page, data);
    data += bucket.copy(page, data);
  }
  const metas = encodeMetas({ pageSize, root: 2, pageCount: 3, transaction: 2 });
  return Buffer.concat([metas, page]);
}

/** One put for each size of a value, each its own revision, from 2 on. */
export function putsOf(sizes: readonly number[]): EtcdRevision[] {
  return sizes.map((size, i) => {
    const revision = i + 2;
    const key = Buffer.from(`key ${revision}`);
    const kv = Buffer.concat([
      field(1, key),
      number(2, revision),
      number(3, revision),
      number(4, 1),
      size === 0 ? Buffer.alloc(0) : field(5, Buffer.alloc(size, `${revision} `)),
    ]);
    return { revision, seenMs: 0, changes: [{ deleted: false, kv }], leases: [] };
  });
}

function field(id: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.of((id << 3) | 2), varint(bytes.length), bytes]);
}

function number(id: number, value: number): Buffer {
  return Buffer.concat([Buffer.of(id << 3), varint(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
