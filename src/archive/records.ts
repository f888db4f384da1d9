import { CborError, type CborReader, type CborWriter } from "./cbor.js";
import { MAX_ENTRY_ITEMS } from "./format.js";

/** The CBOR in the entries of the tar: docs/format.md, "The tar inside". */

export type ArchivedPair = readonly [key: Uint8Array, value: Uint8Array];

/** An etcd record in `etcd/records/NNNNNNNN.cbor`. */
export interface ArchivedRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease: bigint;
}

export function encodeRecord(out: CborWriter, record: ArchivedRecord): void {
  out.array(6);
  out.bytes(record.key);
  out.bytes(record.value);
  out.uint(record.createRevision);
  out.uint(record.modRevision);
  out.uint(record.version);
  out.int64(record.lease);
}

export function decodeRecord(from: CborReader): ArchivedRecord {
  expectItems(from, 6);
  return {
    key: from.bytes(),
    value: from.bytes(),
    createRevision: from.uint(),
    modRevision: from.uint(),
    version: from.uint(),
    lease: from.int64(),
  };
}

export interface ArchivedLease {
  readonly id: bigint;
  /** Seconds. */
  readonly grantedTtl: number;
}

export function encodeLease(out: CborWriter, lease: ArchivedLease): void {
  out.array(2);
  out.int64(lease.id);
  out.uint(lease.grantedTtl);
}

export function decodeLease(from: CborReader): ArchivedLease {
  expectItems(from, 2);
  return { id: from.int64(), grantedTtl: from.uint() };
}

/** The contents of `ceph-attrs/….cbor`; a long `omap` goes on in `ceph-omap/…`. */
export interface ObjectAttributes {
  readonly xattrs: readonly ArchivedPair[];
  readonly omapHeader: Uint8Array;
  readonly omap: readonly ArchivedPair[];
}

export function encodePairs(out: CborWriter, pairs: readonly ArchivedPair[]): void {
  out.array(pairs.length);
  for (const [key, value] of pairs) {
    out.array(2);
    out.bytes(key);
    out.bytes(value);
  }
}

export function decodePairs(from: CborReader): ArchivedPair[] {
  const pairs: ArchivedPair[] = [];
  const count = from.array();
  if (count > MAX_ENTRY_ITEMS) throw new CborError("more pairs than an entry may have");
  for (let left = count; left > 0; left--) {
    expectItems(from, 2);
    pairs.push([from.bytes(), from.bytes()]);
  }
  return pairs;
}

export function encodeAttributes(out: CborWriter, attributes: ObjectAttributes): void {
  out.array(3);
  encodePairs(out, attributes.xattrs);
  out.bytes(attributes.omapHeader);
  encodePairs(out, attributes.omap);
}

export function decodeAttributes(from: CborReader): ObjectAttributes {
  expectItems(from, 3);
  return { xattrs: decodePairs(from), omapHeader: from.bytes(), omap: decodePairs(from) };
}

/** An object or a key of the base that was deleted. */
export type Tombstone =
  | {
      readonly kind: "object";
      readonly pool: string;
      readonly namespace: Uint8Array;
      readonly locator: Uint8Array;
      readonly name: Uint8Array;
    }
  | { readonly kind: "key"; readonly key: Uint8Array };

export function encodeTombstone(out: CborWriter, tombstone: Tombstone): void {
  if (tombstone.kind === "key") {
    out.array(1);
    out.bytes(tombstone.key);
    return;
  }
  out.array(4);
  out.text(tombstone.pool);
  out.bytes(tombstone.namespace);
  out.bytes(tombstone.locator);
  out.bytes(tombstone.name);
}

export function decodeTombstone(from: CborReader): Tombstone {
  const items = from.array();
  if (items === 1) return { kind: "key", key: from.bytes() };
  if (items !== 4) throw new CborError("a tombstone of a wrong shape");
  return {
    kind: "object",
    pool: from.text(),
    namespace: from.bytes(),
    locator: from.bytes(),
    name: from.bytes(),
  };
}

/** Reads the head of an array. Throws CborError for another number of items. */
export function expectItems(from: CborReader, items: number): void {
  const found = from.array();
  if (found !== items) throw new CborError(`an array of ${found} items instead of ${items}`);
}
