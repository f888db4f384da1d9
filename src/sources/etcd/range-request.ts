import { ProtoWriter } from "./proto-writer.js";

/** `RangeRequest` of etcd's `rpc.proto`, the fields that are used here. */
export interface RangeRequest {
  readonly key: Uint8Array;
  /** Exclusive; one zero byte means "to the last key"; none means `key` alone. */
  readonly rangeEnd?: Uint8Array;
  /** 0 = no limit. */
  readonly limit?: number;
  /** 0 = the latest. */
  readonly revision?: number;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
}

/** As a start, the first of all keys; as an end, past the last of all keys. */
export const ZERO_KEY: Uint8Array = Buffer.from([0]);

export function encodeRangeRequest(request: RangeRequest): Buffer {
  const writer = new ProtoWriter(64 + request.key.length + (request.rangeEnd?.length ?? 0));
  writer.bytesField(1, request.key);
  if (request.rangeEnd !== undefined) writer.bytesField(2, request.rangeEnd);
  writer.numberField(3, request.limit ?? 0);
  writer.numberField(4, request.revision ?? 0);
  writer.boolField(8, request.keysOnly ?? false);
  writer.boolField(9, request.countOnly ?? false);
  return writer.finish();
}

/** The key that follows `key` in byte order. */
export function keyAfter(key: Uint8Array): Uint8Array {
  const next = Buffer.alloc(key.length + 1);
  next.set(key);
  return next;
}
