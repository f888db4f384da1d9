import { MessageReader } from "./message-reader.js";
import { checkDecoded } from "./rpc.js";
import type { EtcdRecord } from "./types.js";
import { KEY, CREATE_REVISION, MOD_REVISION, VERSION, VALUE, LEASE } from "./key-value-tags.js";

// Tags of `RangeResponse` (etcd's rpc.proto): the field's number, and in the lower three bits its wire type.
const KVS = (2 << 3) | 2;
const MORE = 3 << 3;
const COUNT = 4 << 3;

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

/**
 * Reads what the next request depends on without decoding the records, so that the next page is on its way while
 * this one is decoded.
 *
 * @throws EtcdError `ETCD_PROTOCOL`
 */
export function scanRangeResponse(response: Buffer): RangeSummary {
  return checkDecoded(() => {
    const reader = new MessageReader(response);
    let keys = 0;
    let more = false;
    let count = 0;
    let first: number | undefined;
    let last: number | undefined;
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === KVS) {
        last = reader.pos;
        first ??= last;
        keys++;
        reader.skipType(tag & 7);
      } else if (tag === MORE) more = reader.bool();
      else if (tag === COUNT) count = reader.number();
      else reader.skipType(tag & 7);
    }
    return { keys, more, count, firstKey: keyAt(response, first), lastKey: keyAt(response, last) };
  });
}

function keyAt(response: Buffer, position: number | undefined): Uint8Array | undefined {
  if (position === undefined) return undefined;
  const reader = new MessageReader(response, position);
  reader.len = reader.messageEnd();
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === KEY) return reader.bytes();
    reader.skipType(tag & 7);
  }
  return NO_BYTES;
}

/**
 * All records of a response. Keys and values are views on it.
 *
 * @throws EtcdError `ETCD_PROTOCOL`
 */
export function decodeRecords(response: Buffer): EtcdRecord[] {
  return checkDecoded(() => {
    const reader = new MessageReader(response);
    const records: EtcdRecord[] = [];
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === KVS) records.push(readRecord(reader));
      else reader.skipType(tag & 7);
    }
    return records;
  });
}

function readRecord(reader: MessageReader): EtcdRecord {
  let key = NO_BYTES;
  let value = NO_BYTES;
  let createRevision = 0;
  let modRevision = 0;
  let version = 0;
  let lease = 0n;
  const end = reader.messageEnd();
  while (reader.pos < end) {
    const tag = reader.uint32();
    switch (tag) {
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
        lease = reader.bigint();
        break;
      default:
        reader.skipType(tag & 7);
    }
  }
  if (reader.pos !== end) throw new RangeError("a field reaches past the end of its record");
  return { key, value, createRevision, modRevision, version, lease };
}
