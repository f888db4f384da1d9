import { ProtoReader } from "./proto-reader.js";
import type { EtcdRecord } from "./types.js";

/**
 * `RangeResponse` of etcd's `rpc.proto`, by hand: the generic decoder makes eight objects of each key
 * and is several times slower than the server. A scan first finds the last key without decoding the
 * others, so that the next page is under way while this one is decoded.
 */
const KVS = (2 << 3) | 2;
const MORE = 3 << 3;
const COUNT = 4 << 3;

const KEY = (1 << 3) | 2;
const CREATE_REVISION = 2 << 3;
const MOD_REVISION = 3 << 3;
const VERSION = 4 << 3;
const VALUE = (5 << 3) | 2;
const LEASE = 6 << 3;

const NO_BYTES: Buffer = Buffer.alloc(0);

export interface RangeSummary {
  /** Keys in this response. */
  readonly keys: number;
  /** There are more keys in the range than the limit allowed. */
  readonly more: boolean;
  /** Keys in the whole range, whatever the limit. */
  readonly count: number;
  readonly firstKey: Uint8Array | undefined;
  readonly lastKey: Uint8Array | undefined;
}

/** What the next request has to know, without decoding the keys. */
export function scanRangeResponse(response: Buffer): RangeSummary {
  const reader = new ProtoReader(response);
  let keys = 0;
  let more = false;
  let count = 0;
  let first = -1;
  let last = -1;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === KVS) {
      last = reader.position;
      if (keys++ === 0) first = last;
      reader.skip(tag);
    } else if (tag === MORE) more = reader.number() !== 0;
    else if (tag === COUNT) count = reader.number();
    else reader.skip(tag);
  }
  return {
    keys,
    more,
    count,
    firstKey: first < 0 ? undefined : keyAt(response, first),
    lastKey: last < 0 ? undefined : keyAt(response, last),
  };
}

function keyAt(response: Buffer, position: number): Uint8Array {
  const reader = new ProtoReader(response, position);
  reader.enter();
  while (reader.more) {
    const tag = reader.tag();
    if (tag === KEY) return reader.bytes();
    reader.skip(tag);
  }
  return NO_BYTES;
}

/** All records of a response. Keys and values are views on it. */
export function decodeRecords(response: Buffer): EtcdRecord[] {
  const reader = new ProtoReader(response);
  const records: EtcdRecord[] = [];
  while (reader.more) {
    const tag = reader.tag();
    if (tag !== KVS) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    let key: Buffer = NO_BYTES;
    let value: Buffer = NO_BYTES;
    let createRevision = 0;
    let modRevision = 0;
    let version = 0;
    let lease = 0n;
    while (reader.more) {
      const field = reader.tag();
      switch (field) {
        case KEY:
          key = reader.bytes();
          break;
        case CREATE_REVISION:
          createRevision = reader.number();
          break;
        case MOD_REVISION:
          modRevision = reader.number();
          break;
        case VERSION:
          version = reader.number();
          break;
        case VALUE:
          value = reader.bytes();
          break;
        case LEASE:
          lease = reader.int64();
          break;
        default:
          reader.skip(field);
      }
    }
    reader.leave(outer);
    records.push({ key, value, createRevision, modRevision, version, lease });
  }
  return records;
}
