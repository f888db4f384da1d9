import { ProtoReader } from "./proto-reader.js";
import { decodeHeader } from "./response-header.js";

/** What one member says of itself: `StatusResponse` of etcd's `rpc.proto`. */
export interface MemberStatus {
  readonly clusterId: bigint;
  /** Such as 3.4.23. */
  readonly version: string;
  /** Bytes of the database's file. */
  readonly databaseBytes: number;
  /** Bytes; 0 from servers that do not tell (before etcd 3.6). */
  readonly quotaBytes: number;
  /** Id of the member that leads; 0n when there is none. */
  readonly leader: bigint;
  /** Of the keys, as far as the member has come. */
  readonly revision: number;
}

/** `NOSPACE`, `CORRUPT`, or the number of one that is not known here. */
export interface Alarm {
  readonly member: bigint;
  readonly kind: string;
}

/** `StatusRequest` has no fields; an `AlarmRequest` without any asks for all alarms. */
export const EMPTY_REQUEST = Buffer.alloc(0);

const VERSION = (2 << 3) | 2;
const DATABASE_SIZE = 3 << 3;
const LEADER = 4 << 3;
const DATABASE_QUOTA = 12 << 3;

export function decodeStatus(response: Buffer): MemberStatus {
  const { clusterId, revision } = decodeHeader(response);
  const reader = new ProtoReader(response);
  let version = "";
  let databaseBytes = 0;
  let quotaBytes = 0;
  let leader = 0n;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === VERSION) version = reader.bytes().toString();
    else if (tag === DATABASE_SIZE) databaseBytes = reader.number();
    else if (tag === LEADER) leader = reader.uint64();
    else if (tag === DATABASE_QUOTA) quotaBytes = reader.number();
    else reader.skip(tag);
  }
  return { clusterId, version, databaseBytes, quotaBytes, leader, revision };
}

const ALARMS = (2 << 3) | 2;
const ALARM_MEMBER = 1 << 3;
const ALARM_KIND = 2 << 3;
const KINDS: readonly string[] = ["NONE", "NOSPACE", "CORRUPT"];

/** The alarms of an `AlarmResponse`, of all members. */
export function decodeAlarms(response: Buffer): Alarm[] {
  const reader = new ProtoReader(response);
  const alarms: Alarm[] = [];
  while (reader.more) {
    const tag = reader.tag();
    if (tag !== ALARMS) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    let member = 0n;
    let kind = 0;
    while (reader.more) {
      const inner = reader.tag();
      if (inner === ALARM_MEMBER) member = reader.uint64();
      else if (inner === ALARM_KIND) kind = reader.number();
      else reader.skip(inner);
    }
    reader.leave(outer);
    if (kind !== 0) alarms.push({ member, kind: KINDS[kind] ?? `number ${kind}` });
  }
  return alarms;
}
