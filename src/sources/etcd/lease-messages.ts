import { ProtoReader } from "./proto-reader.js";
import { ProtoWriter } from "./proto-writer.js";

/** `LeaseGrantRequest` of etcd's `rpc.proto`; the server chooses the id. */
export function encodeLeaseGrant(ttl: number): Buffer {
  const writer = new ProtoWriter();
  writer.numberField(1, ttl);
  return writer.finish();
}

/** The id in a `LeaseGrantResponse`. */
export function decodeLeaseGrant(response: Buffer): bigint {
  return decodeLease(response).id;
}

/** `LeaseTimeToLiveRequest` of etcd's `rpc.proto`. */
export function encodeLeaseTimeToLive(id: bigint): Buffer {
  const writer = new ProtoWriter();
  writer.bigintField(1, BigInt.asUintN(64, id));
  return writer.finish();
}

/** Seconds left and seconds granted of a `LeaseTimeToLiveResponse`; -1 left when the lease is gone. */
export function decodeLeaseTimeToLive(response: Buffer): { left: bigint; granted: number } {
  const { left, granted } = decodeLease(response);
  return { left, granted };
}

function decodeLease(response: Buffer): { id: bigint; left: bigint; granted: number } {
  const reader = new ProtoReader(response);
  let id = 0n;
  let left = 0n;
  let granted = 0;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === 2 << 3) id = reader.int64();
    else if (tag === 3 << 3) left = reader.int64();
    else if (tag === 4 << 3) granted = reader.number();
    else reader.skip(tag);
  }
  return { id, left, granted };
}
