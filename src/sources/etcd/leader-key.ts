import type { ICompare, IKeyValue, IRequestOp } from "etcd3";
import type { CallOptions, EtcdConnection } from "./connection.js";
import { EtcdError } from "./errors.js";
import {
  LEASE_GRANT,
  LEASE_KEEP_ALIVE,
  LEASE_REVOKE,
  RANGE,
  type Received,
  type Sent,
  TXN,
} from "./rpc.js";

/** What is read of a value, which anyone may have written. */
const MAX_VALUE_BYTES = 64 << 10;
const MAX_CHARACTERS = 200;

/** Who leads, as the key in etcd says. */
export interface Leader {
  readonly identity: string;
  /** Where its server answers. */
  readonly url?: string | undefined;
}

/** The key as etcd has it. */
export interface LeaderRecord {
  readonly leader: Leader;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  /** 0n: none, so the key stays for ever. */
  readonly lease: bigint;
}

/** The key of an election, and the lease that it is bound to. Each call tries each endpoint once. */
export class LeaderKey {
  readonly #connection: EtcdConnection;
  readonly #key: Buffer;

  constructor(connection: EtcdConnection, key: string) {
    this.#connection = connection;
    this.#key = Buffer.from(key);
  }

  /** Linearizable: what a majority of the members has confirmed. Undefined if there is no leader. */
  async read(signal: AbortSignal): Promise<LeaderRecord | undefined> {
    const { kvs = [] } = await this.#connection.call(RANGE, { key: this.#key }, once(signal));
    return recordOf(kvs[0]);
  }

  /** Grants a lease of `ttlSeconds`; resolves with its id. */
  async grantLease(ttlSeconds: number, signal: AbortSignal): Promise<bigint> {
    const { ID = "0" } = await this.#connection.call(
      LEASE_GRANT,
      { TTL: ttlSeconds },
      once(signal),
    );
    return BigInt(ID);
  }

  /** Whether the lease still lives; from the arrival of this call on it does so for its whole time. */
  async keepAlive(lease: bigint, signal: AbortSignal): Promise<boolean> {
    const request = { ID: `${lease}` };
    const { TTL = "0" } = await this.#connection.call(LEASE_KEEP_ALIVE, request, once(signal));
    return Number(TTL) > 0;
  }

  /** Creates the key with this lease unless it exists. Resolves with its create revision; undefined if it exists. */
  async create(leader: Leader, lease: bigint, signal: AbortSignal): Promise<bigint | undefined> {
    const { identity, url } = leader;
    const value = Buffer.from(JSON.stringify({ identity, ...(url !== undefined && { url }) }));
    const { responses = [], ...answer } = await this.#txn(
      { target: "Create", create_revision: "0" },
      [{ request_put: { key: this.#key, value, lease: `${lease}` } }],
      [{ request_range: { key: this.#key } }],
      signal,
    );
    if (answer.succeeded === true) return BigInt(answer.header?.revision ?? 0);
    // The call may be the second one, after an answer that was lost.
    const found = recordOf(responses[0]?.response_range?.kvs?.[0]);
    return found?.lease === lease ? found.createRevision : undefined;
  }

  /** Deletes the key if it was created at this revision. */
  async deleteCreated(createRevision: bigint, signal: AbortSignal): Promise<void> {
    const compare = { target: "Create", create_revision: `${createRevision}` } as const;
    await this.#txn(compare, [{ request_delete_range: { key: this.#key } }], [], signal);
  }

  /** Deletes the key if it is as it was read. */
  async deleteUnchanged({ modRevision }: LeaderRecord, signal: AbortSignal): Promise<void> {
    const compare = { target: "Mod", mod_revision: `${modRevision}` } as const;
    await this.#txn(compare, [{ request_delete_range: { key: this.#key } }], [], signal);
  }

  /** Ends a lease, and with it the keys that are bound to it. */
  async revokeLease(lease: bigint, signal: AbortSignal): Promise<void> {
    try {
      await this.#connection.call(LEASE_REVOKE, { ID: `${lease}` }, once(signal));
    } catch (error) {
      const gone = error instanceof EtcdError && error.code === "ETCD_LEASE_GONE";
      if (!gone) throw error;
    }
  }

  #txn(
    condition: Omit<Sent<ICompare>, "key" | "result">,
    success: readonly Sent<IRequestOp>[],
    failure: readonly Sent<IRequestOp>[],
    signal: AbortSignal,
  ) {
    const compare = [{ ...condition, key: this.#key, result: "Equal" as const }];
    return this.#connection.call(TXN, { compare, success, failure }, once(signal));
  }
}

/** The loops of an election try again themselves, and must not lose time in one call. */
function once(signal: AbortSignal): CallOptions {
  return { signal, patienceMs: 0 };
}

function recordOf(kv: Received<IKeyValue> | undefined): LeaderRecord | undefined {
  if (kv === undefined) return undefined;
  return {
    leader: parseLeader(kv.value ?? Buffer.alloc(0)),
    createRevision: BigInt(kv.create_revision ?? 0),
    modRevision: BigInt(kv.mod_revision ?? 0),
    lease: BigInt(kv.lease ?? 0),
  };
}

/** Any user of etcd may have written the value. */
function parseLeader(value: Uint8Array): Leader {
  const text = Buffer.from(value.subarray(0, MAX_VALUE_BYTES)).toString();
  const fields = fieldsOf(text);
  const identity = textOf(fields.get("identity")) ?? text.slice(0, MAX_CHARACTERS);
  const url = textOf(fields.get("url"));
  return { identity, ...(url !== undefined && { url }) };
}

function fieldsOf(text: string): Map<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
  } catch {
    return new Map();
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value.slice(0, MAX_CHARACTERS) : undefined;
}
