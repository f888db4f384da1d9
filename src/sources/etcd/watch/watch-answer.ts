import type { EtcdChange } from "../history.js";
import { KEY, LEASE, MOD_REVISION } from "../key-value-tags.js";
import { MessageReader } from "../message-reader.js";
import { checkDecoded } from "../rpc.js";

// Tags of `WatchResponse` (etcd's rpc.proto): the field's number, and in the lower three bits its wire type.
const HEADER = (1 << 3) | 2;
const CREATED = 3 << 3;
const CANCELED = 4 << 3;
const COMPACT_REVISION = 5 << 3;
const CANCEL_REASON = (6 << 3) | 2;
const FRAGMENT = 7 << 3;
const EVENTS = (11 << 3) | 2;

// Tags of `ResponseHeader`.
const CLUSTER_ID = 1 << 3;
const REVISION = 3 << 3;

// Tags of `Event` (etcd's kv.proto).
const TYPE = 1 << 3;
const KV = (2 << 3) | 2;

const DELETE = 1;

/** A change with what the watch reads from it. */
export interface WatchEvent extends EtcdChange {
  readonly key: Uint8Array;
  readonly modRevision: number;
  /** Lease id; 0n when the key has none. */
  readonly lease: bigint;
}

/** A message of a watch. */
export interface WatchAnswer {
  readonly clusterId: bigint;
  /** The member's revision when it made the answer; in old versions not for sure. */
  readonly revision: number;
  readonly created: boolean;
  readonly canceled: boolean;
  /** Where the start of a watch is compacted: the oldest revision that is left; otherwise 0. */
  readonly compactRevision: number;
  readonly cancelReason: string;
  /** The next message goes on with the same answer. */
  readonly fragment: boolean;
  /** Their bytes are views on the message. */
  readonly events: readonly WatchEvent[];
}

/** @throws EtcdError `ETCD_PROTOCOL` */
export function decodeWatchAnswer(message: Buffer): WatchAnswer {
  return checkDecoded(() => {
    const reader = new MessageReader(message);
    let header = { clusterId: 0n, revision: 0 };
    let [created, canceled, fragment] = [false, false, false];
    let compactRevision = 0;
    let cancelReason = "";
    const events: WatchEvent[] = [];
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === EVENTS) events.push(readEvent(reader));
      else if (tag === HEADER) header = readHeader(reader);
      else if (tag === CREATED) created = reader.bool();
      else if (tag === CANCELED) canceled = reader.bool();
      else if (tag === COMPACT_REVISION) compactRevision = reader.number();
      else if (tag === CANCEL_REASON) cancelReason = reader.string();
      else if (tag === FRAGMENT) fragment = reader.bool();
      else reader.skipType(tag & 7);
    }
    return { ...header, created, canceled, compactRevision, cancelReason, fragment, events };
  });
}

function readHeader(reader: MessageReader): { clusterId: bigint; revision: number } {
  let clusterId = 0n;
  let revision = 0;
  const end = reader.messageEnd();
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === CLUSTER_ID) clusterId = BigInt.asUintN(64, reader.bigint());
    else if (tag === REVISION) revision = reader.number();
    else reader.skipType(tag & 7);
  }
  checkEnd(reader, end);
  return { clusterId, revision };
}

function readEvent(reader: MessageReader): WatchEvent {
  let deleted = false;
  let kv: Uint8Array | undefined;
  const end = reader.messageEnd();
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === TYPE) deleted = reader.uint32() === DELETE;
    else if (tag === KV) kv = reader.bytes();
    else reader.skipType(tag & 7);
  }
  checkEnd(reader, end);
  if (kv === undefined) throw new RangeError("an event has no key");
  return { deleted, kv, ...readKeyValue(kv) };
}

/** The fields of an encoded `KeyValue` that order changes, and tell their key and lease. */
export function readKeyValue(kv: Uint8Array): {
  readonly key: Uint8Array;
  readonly modRevision: number;
  readonly lease: bigint;
} {
  const reader = new MessageReader(Buffer.from(kv.buffer, kv.byteOffset, kv.byteLength));
  let key: Uint8Array = new Uint8Array();
  let modRevision = 0;
  let lease = 0n;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === KEY) key = reader.bytes();
    else if (tag === MOD_REVISION) modRevision = reader.number();
    else if (tag === LEASE) lease = reader.bigint();
    else reader.skipType(tag & 7);
  }
  return { key, modRevision, lease };
}

function checkEnd(reader: MessageReader, end: number): void {
  if (reader.pos !== end) throw new RangeError("a field reaches past the end of its message");
}
