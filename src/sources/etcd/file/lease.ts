import protobuf from "protobufjs/minimal.js";
import type { EtcdLease } from "../types.js";
import { encodeVarint } from "./key-value.js";

// Tags of `Lease` (etcd's lease.proto).
const ID = 1 << 3;
const TTL = 2 << 3;

/** A lease as the database holds it. Returns undefined where the bytes are none. */
export function decodeLease(key: Buffer, value: Buffer): EtcdLease | undefined {
  if (key.length !== 8) return undefined;
  const id = key.readBigInt64BE(0);
  let grantedTtl = 0;
  let inValue = 0n;
  try {
    const reader = protobuf.Reader.create(value);
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === ID || tag === TTL) {
        const { high, low } = reader.int64();
        if (tag === TTL) grantedTtl = high * 2 ** 32 + (low >>> 0);
        else inValue = (BigInt(high) << 32n) | BigInt(low >>> 0);
      } else reader.skipType(tag & 7);
    }
  } catch {
    return undefined;
  }
  const isTtl = Number.isSafeInteger(grantedTtl) && grantedTtl >= 0;
  return inValue === id && isTtl ? { id, grantedTtl } : undefined;
}

/** Key and value of a lease in its bucket. */
export function encodeLease({ id, grantedTtl }: EtcdLease): { key: Buffer; value: Buffer } {
  const key = Buffer.alloc(8);
  key.writeBigInt64BE(id);
  const value = Buffer.concat([
    Buffer.of(ID),
    encodeVarint(BigInt.asUintN(64, id)),
    Buffer.of(TTL),
    encodeVarint(BigInt(grantedTtl)),
  ]);
  return { key, value };
}
