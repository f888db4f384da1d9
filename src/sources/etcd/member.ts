import protobuf from "protobufjs/minimal.js";
import { EtcdConnection } from "./connection.js";
import type { EtcdOptions } from "./options.js";
import { ALARM, checkDecoded, STATUS } from "./rpc.js";

/** The state of one member, as it reports it. */
export interface MemberStatus {
  readonly clusterId: bigint;
  readonly id: bigint;
  /** Whether it only follows, without a vote. */
  readonly isLearner: boolean;
  /** Such as 3.4.23. */
  readonly version: string;
  /** Bytes of the database's file. */
  readonly databaseBytes: number;
  /** Bytes; 0 from servers before etcd 3.6, which do not report it. */
  readonly quotaBytes: number;
  /** Id of the member that leads; 0n when there is none. */
  readonly leader: bigint;
  /** The latest revision that the member has applied. */
  readonly revision: number;
  /** The last entry of raft's log that the member has applied. */
  readonly raftIndex: number;
  /** The last entry of raft's log that the member knows to be committed. */
  readonly committedIndex: number;
  /** What the member reports as wrong, such as the alarms of its cluster, or that there is no leader. */
  readonly errors: readonly string[];
}

export interface Alarm {
  readonly member: bigint;
  /** `NOSPACE`, `CORRUPT`, or the number of one that this program does not know. */
  readonly kind: string;
}

/** One member alone: no other member answers its calls. */
export class EtcdMember {
  readonly #connection: EtcdConnection;

  private constructor(connection: EtcdConnection) {
    this.#connection = connection;
  }

  /**
   * Resolves when the member answers, accepts the login, and permits the reads of a backup.
   *
   * @throws EtcdError, UsageError, InterruptedError
   */
  static async connect(
    endpoint: string,
    options: Omit<EtcdOptions, "endpoints">,
    signal: AbortSignal,
  ): Promise<EtcdMember> {
    return new EtcdMember(await EtcdConnection.open({ ...options, endpoints: [endpoint] }, signal));
  }

  async status(signal: AbortSignal): Promise<MemberStatus> {
    return await readStatus(this.#connection, signal);
  }

  /** The alarms of all members. Needs a leader. */
  async alarms(signal: AbortSignal): Promise<Alarm[]> {
    return decodeAlarms(await this.#connection.callRaw(ALARM.name, ALARM.encode({}), { signal }));
  }

  close(): void {
    this.#connection.close();
  }
}

/** The status of the member that calls of the connection go to now. */
export async function readStatus(
  connection: EtcdConnection,
  signal: AbortSignal,
): Promise<MemberStatus> {
  return decodeStatus(await connection.callRaw(STATUS.name, STATUS.encode({}), { signal }));
}

export function decodeStatus(response: Buffer): MemberStatus {
  const status = STATUS.decode(response);
  const { header, version = "", dbSize = 0, leader = 0, isLearner = false } = status;
  return {
    clusterId: BigInt(header?.cluster_id ?? 0),
    id: BigInt(header?.member_id ?? 0),
    isLearner,
    version,
    databaseBytes: Number(dbSize),
    quotaBytes: decodeQuota(response),
    leader: BigInt(leader),
    revision: Number(header?.revision ?? 0),
    raftIndex: Number(status.raftAppliedIndex ?? 0),
    committedIndex: Number(status.raftIndex ?? 0),
    errors: status.errors ?? [],
  };
}

/** Tag of `dbSizeQuota` in etcd 3.6's `StatusResponse`: field 12, a varint. etcd3 defines the messages of etcd 3.5. */
const DB_SIZE_QUOTA = 12 << 3;

function decodeQuota(response: Buffer): number {
  return checkDecoded(() => {
    const reader = protobuf.Reader.create(response);
    let quota = 0;
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === DB_SIZE_QUOTA) {
        const { high, low } = reader.int64();
        quota = high * 2 ** 32 + (low >>> 0);
      } else reader.skipType(tag & 7);
    }
    return quota;
  });
}

export function decodeAlarms(response: Buffer): Alarm[] {
  const found: Alarm[] = [];
  for (const { memberID = 0, alarm = "None" } of ALARM.decode(response).alarms ?? []) {
    if (alarm === "None") continue;
    const kind = typeof alarm === "number" ? `number ${alarm}` : alarm.toUpperCase();
    found.push({ member: BigInt(memberID), kind });
  }
  return found;
}
