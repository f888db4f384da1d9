import protobuf from "protobufjs/minimal.js";

/** A `PutRequest` of etcd's rpc.proto. */
export interface Put {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Decimal; "0" for none. */
  readonly lease: string;
}

// Tags: the field's number, and 2 for bytes and messages.
const SUCCESS = (2 << 3) | 2;
const REQUEST_PUT = (2 << 3) | 2;
const KEY = (1 << 3) | 2;
const VALUE = (2 << 3) | 2;
const LEASE = 3 << 3;

/** Encodes a `TxnRequest` of etcd's rpc.proto without conditions: etcd does all puts or none. */
export function encodePutTxn(puts: readonly Put[]): Buffer {
  const writer = new protobuf.BufferWriter();
  for (const { key, value, lease } of puts) {
    writer.uint32(SUCCESS).fork().uint32(REQUEST_PUT).fork();
    writer.uint32(KEY).bytes(key).uint32(VALUE).bytes(value);
    if (lease !== "0") writer.uint32(LEASE).int64(lease);
    writer.ldelim().ldelim();
  }
  const { buffer, byteOffset, length } = writer.finish();
  return Buffer.from(buffer, byteOffset, length);
}
