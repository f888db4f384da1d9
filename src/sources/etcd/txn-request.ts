import { bytesFieldSize, messageFieldSize, ProtoWriter } from "./proto-writer.js";
import { type Put, putLength, writePut } from "./put-request.js";

/** `TxnRequest` of etcd's `rpc.proto` without conditions: all of `success` happens, or nothing. */
const SUCCESS = 2;
const REQUEST_PUT = 2;
const REQUEST_DELETE_RANGE = 3;

/** Bytes that one put takes in a transaction. */
export function putSize(put: Put): number {
  return messageFieldSize(messageFieldSize(putLength(put)));
}

export function encodePutTxn(puts: readonly Put[]): Buffer {
  let size = 0;
  for (const put of puts) size += putSize(put);
  const writer = new ProtoWriter(size + 32);
  for (const put of puts) {
    const length = putLength(put);
    writer.startMessage(SUCCESS, messageFieldSize(length));
    writer.startMessage(REQUEST_PUT, length);
    writePut(writer, put);
  }
  return writer.finish();
}

export function encodeDeleteTxn(keys: readonly Uint8Array[]): Buffer {
  const writer = new ProtoWriter(64 * keys.length);
  for (const key of keys) {
    const length = bytesFieldSize(key.length);
    writer.startMessage(SUCCESS, messageFieldSize(length));
    writer.startMessage(REQUEST_DELETE_RANGE, length);
    writer.bytesField(1, key);
  }
  return writer.finish();
}
