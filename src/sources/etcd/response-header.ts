import { ProtoReader } from "./proto-reader.js";

/** `ResponseHeader` of etcd's `rpc.proto`; it is field 1 of every response. */
export interface ResponseHeader {
  readonly clusterId: bigint;
  readonly revision: number;
}

const HEADER = (1 << 3) | 2;
const CLUSTER_ID = 1 << 3;
const REVISION = 3 << 3;

/** Reads the header of any response. */
export function decodeHeader(response: Buffer): ResponseHeader {
  const reader = new ProtoReader(response);
  let clusterId = 0n;
  let revision = 0;
  while (reader.more) {
    const tag = reader.tag();
    if (tag !== HEADER) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    while (reader.more) {
      const inner = reader.tag();
      if (inner === CLUSTER_ID) clusterId = reader.uint64();
      else if (inner === REVISION) revision = reader.number();
      else reader.skip(inner);
    }
    reader.leave(outer);
    break;
  }
  return { clusterId, revision };
}
