import { ProtoReader } from "./proto-reader.js";
import { ProtoWriter } from "./proto-writer.js";

/** `DeleteRangeRequest` of etcd's `rpc.proto`; `rangeEnd` is exclusive. */
export function encodeDeleteRange(key: Uint8Array, rangeEnd: Uint8Array): Buffer {
  const writer = new ProtoWriter(32 + key.length + rangeEnd.length);
  writer.bytesField(1, key);
  writer.bytesField(2, rangeEnd);
  return writer.finish();
}

const DELETED = 2 << 3;
const RESPONSES = (3 << 3) | 2;
const RESPONSE_DELETE_RANGE = (3 << 3) | 2;

/** Keys that a `DeleteRangeResponse` says are gone. */
export function decodeDeleted(response: Buffer): number {
  return readDeleted(new ProtoReader(response));
}

/** The same, summed over the deletions of a `TxnResponse`. */
export function decodeTxnDeleted(response: Buffer): number {
  const reader = new ProtoReader(response);
  let deleted = 0;
  while (reader.more) {
    const tag = reader.tag();
    if (tag !== RESPONSES) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    while (reader.more) {
      const inner = reader.tag();
      if (inner !== RESPONSE_DELETE_RANGE) {
        reader.skip(inner);
        continue;
      }
      const end = reader.enter();
      deleted += readDeleted(reader);
      reader.leave(end);
    }
    reader.leave(outer);
  }
  return deleted;
}

function readDeleted(reader: ProtoReader): number {
  let deleted = 0;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === DELETED) deleted = reader.number();
    else reader.skip(tag);
  }
  return deleted;
}
