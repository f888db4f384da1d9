import { bigintFieldSize, bytesFieldSize, ProtoWriter } from "./proto-writer.js";

/** One `PutRequest` of etcd's `rpc.proto`. */
export interface Put {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** 0n for none. */
  readonly lease: bigint;
}

const IGNORE_VALUE = 5;

/** Bytes of the request. */
export function putLength(put: Put): number {
  return (
    bytesFieldSize(put.key.length) + bytesFieldSize(put.value.length) + bigintFieldSize(put.lease)
  );
}

export function writePut(writer: ProtoWriter, put: Put): void {
  writer.bytesField(1, put.key);
  writer.bytesField(2, put.value);
  writer.bigintField(3, put.lease);
}

export function encodePut(put: Put): Buffer {
  const writer = new ProtoWriter(putLength(put));
  writePut(writer, put);
  return writer.finish();
}

/** Attaches a key to a lease; its value stays as it is in etcd. */
export function encodeAttach({ key, lease }: Pick<Put, "key" | "lease">): Buffer {
  const writer = new ProtoWriter(key.length + 32);
  writer.bytesField(1, key);
  writer.bigintField(3, lease);
  writer.numberField(IGNORE_VALUE, 1);
  return writer.finish();
}
