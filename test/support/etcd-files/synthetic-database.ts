import { encodeDeletion } from "../../../src/sources/etcd/file/key-value.js";
import { encodeMetas } from "../../../src/sources/etcd/file/meta.js";
import { encodeRevisionKey } from "../../../src/sources/etcd/file/revision-key.js";
import type { EtcdRevision } from "../../../src/sources/etcd/history.js";

const LEAF = 2;
const BUCKET = 1;
const HEADER = 16;
const ELEMENT = 16;

/** A database of an etcd that nothing was ever written to, with pages of any size. Without a SHA-256 at its end. */
export function emptyDatabase(pageSize: number): Buffer {
  return databaseOf(new Map(), pageSize);
}

/** A change of a key in a revision. */
export interface SyntheticChange {
  readonly main: number;
  readonly sub: number;
  readonly key: string;
  readonly deleted: boolean;
}

/** A database with these changes, in their order; a few hundred at most. */
export function databaseOfChanges(
  changes: readonly SyntheticChange[],
  compactions: { readonly finished: number; readonly scheduled: number },
): Buffer {
  const meta = Object.entries(compactions)
    .filter(([, main]) => main > 0)
    .map(([name, main]) => ({
      key: Buffer.from(`${name}CompactRev`),
      value: encodeRevisionKey({ main, sub: 0 }),
    }));
  const key = changes.map((change) => ({
    key: encodeRevisionKey(change, change.deleted),
    value: change.deleted ? encodeDeletion(Buffer.from(change.key)) : putOf(change),
  }));
  return databaseOf(new Map([["key", key] as const, ["meta", meta] as const]), 1 << 14);
}

/** The changes of one revision as a watch reports them. */
export function revisionOf(changes: readonly SyntheticChange[]): EtcdRevision {
  const revision = changes[0]?.main ?? 0;
  return {
    revision,
    seenMs: 0,
    changes: changes.map((change) => ({
      deleted: change.deleted,
      kv: change.deleted
        ? Buffer.concat([field(1, Buffer.from(change.key)), number(3, revision)])
        : putOf(change),
    })),
    leases: [],
  };
}

function putOf({ main, sub, key }: SyntheticChange): Buffer {
  return keyValue(Buffer.from(key), main, Buffer.from(`${main} ${sub}`));
}

interface Element {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

function databaseOf(entries: ReadonlyMap<string, readonly Element[]>, pageSize: number): Buffer {
  const buckets = ["key", "lease", "members", "meta"].map((name) => ({
    key: Buffer.from(name),
    value: Buffer.concat([Buffer.alloc(16), leaf(entries.get(name) ?? [])]),
  }));
  const root = leaf(buckets, BUCKET);
  if (root.length > pageSize) throw new RangeError("too much for one page");
  const page = Buffer.concat([root, Buffer.alloc(pageSize - root.length)]);
  page.writeUInt32LE(2, 0);
  const metas = encodeMetas({ pageSize, root: 2, pageCount: 3, transaction: 2 });
  return Buffer.concat([metas, page]);
}

function leaf(elements: readonly Element[], flags = 0): Buffer {
  const head = Buffer.alloc(HEADER + ELEMENT * elements.length);
  head.writeUInt16LE(LEAF, 8);
  head.writeUInt16LE(elements.length, 10);
  let data = head.length;
  for (const [i, { key, value }] of elements.entries()) {
    const at = HEADER + ELEMENT * i;
    head.writeUInt32LE(flags, at);
    head.writeUInt32LE(data - at, at + 4);
    head.writeUInt32LE(key.length, at + 8);
    head.writeUInt32LE(value.length, at + 12);
    data += key.length + value.length;
  }
  return Buffer.concat([head, ...elements.flatMap(({ key, value }) => [key, value])]);
}

/** One put for each size of a value, each its own revision, from 2 on. */
export function putsOf(sizes: readonly number[]): EtcdRevision[] {
  return sizes.map((size, i) => {
    const revision = i + 2;
    const key = Buffer.from(`key ${revision}`);
    const kv = keyValue(key, revision, Buffer.alloc(size, `${revision} `));
    return { revision, seenMs: 0, changes: [{ deleted: false, kv }], leases: [] };
  });
}

function keyValue(key: Buffer, revision: number, value: Buffer): Buffer {
  return Buffer.concat([
    field(1, key),
    number(2, revision),
    number(3, revision),
    number(4, 1),
    value.length === 0 ? value : field(5, value),
  ]);
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
