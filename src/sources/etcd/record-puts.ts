import { throwIfAborted } from "../../errors.js";
import { quoted } from "../../quoted.js";
import type { EtcdConnection } from "./connection.js";
import { EtcdError } from "./errors.js";
import { LeaseGrants } from "./lease-grants.js";
import { PUT, TXN } from "./rpc.js";
import type { EtcdRecord, LeasePolicy } from "./types.js";

export interface PutOptions {
  /** Granted TTL in seconds by the lease's id in the backup; may grow while records are put. */
  readonly leases: ReadonlyMap<bigint, number>;
  readonly policy: LeasePolicy;
  readonly signal: AbortSignal;
  /** Called with the number of records that etcd has confirmed since the last call. */
  readonly onPut?: (records: number) => void;
}

/** A `PutRequest`; the lease is decimal, "0" for none. */
interface Put {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly lease: string;
}

/** etcd's own limits are 128 operations (--max-txn-ops) and 1.5 MiB (--max-request-bytes). */
const TXN_RECORDS = 128;
const TXN_BYTES = 1 << 20;
/** What a put takes in a transaction beside its key and value, at most. */
const PUT_OVERHEAD = 40;
const IN_FLIGHT = 16;
/** A lease that expires while its records are put is granted again this often. */
const REGRANTS = 5;

/** Whether a restore leaves the record out: without its lease, which has expired, it would never be deleted. */
export function isLeftOut(
  { lease }: EtcdRecord,
  { policy, leases }: Pick<PutOptions, "policy" | "leases">,
): boolean {
  if (lease === 0n || policy === "keep-forever") return false;
  return policy === "drop" || !leases.has(lease);
}

/** Puts records back in transactions within etcd's limits. */
export class RecordPuts {
  readonly #connection: EtcdConnection;
  readonly #options: PutOptions;
  readonly #grants: LeaseGrants;
  readonly #inFlight = new Set<Promise<void>>();
  #failure: { error: unknown } | undefined;
  /** The highest key since no transaction was in flight. */
  #highest: Uint8Array | undefined;
  #records = 0;
  #expired = 0;

  constructor(connection: EtcdConnection, options: PutOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#grants = new LeaseGrants(connection, options.leases, options.signal);
  }

  async run(
    batches: AsyncIterable<readonly EtcdRecord[]>,
  ): Promise<{ records: number; expired: number }> {
    let txn: EtcdRecord[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      if (txn.length === 0) return;
      while (this.#inFlight.size >= IN_FLIGHT) await Promise.race(this.#inFlight);
      if (this.#failure !== undefined) throw this.#failure.error;
      throwIfAborted(this.#options.signal);
      this.#send(txn);
      txn = [];
      bytes = 0;
    };
    try {
      for await (const batch of batches) {
        for (const record of batch) {
          if (isLeftOut(record, this.#options)) {
            this.#expired++;
            continue;
          }
          // A transaction may hold a key once, and transactions overtake each other. Backups are in the order of
          // their keys, so a key that may be in flight already is not above the highest one.
          if (this.#highest !== undefined && Buffer.compare(record.key, this.#highest) <= 0) {
            await flush();
            await this.#settled();
          }
          this.#highest = record.key;
          const size = record.key.length + record.value.length + PUT_OVERHEAD;
          if (txn.length >= TXN_RECORDS || bytes + size > TXN_BYTES) await flush();
          txn.push(record);
          bytes += size;
        }
      }
      await flush();
    } finally {
      await this.#settled();
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    return { records: this.#records, expired: this.#expired };
  }

  /** Resolves when no transaction is in flight. */
  async #settled(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.race(this.#inFlight);
  }

  #send(records: readonly EtcdRecord[]): void {
    const sent = this.#put(records)
      .then(
        () => {
          this.#records += records.length;
          this.#options.onPut?.(records.length);
        },
        (error: unknown) => {
          this.#failure ??= { error };
        },
      )
      .finally(() => this.#inFlight.delete(sent));
    this.#inFlight.add(sent);
  }

  async #put(records: readonly EtcdRecord[]): Promise<void> {
    const { policy, signal } = this.#options;
    for (let regrants = 0; ; regrants++) {
      const puts: Put[] = [];
      for (const { key, value, lease } of records) {
        const granted =
          lease === 0n || policy !== "regrant" ? "0" : await this.#grants.idFor(lease);
        puts.push({ key, value, lease: granted });
      }
      try {
        const [only] = puts;
        if (puts.length === 1 && only !== undefined) await this.#putAlone(only);
        else {
          const success = puts.map((put) => ({ request_put: put }));
          await this.#connection.call(TXN, { success }, { signal });
        }
        return;
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        if (error.code === "ETCD_LEASE_GONE" && regrants < REGRANTS) {
          for (const [i, { lease }] of records.entries()) {
            if (lease !== 0n) await this.#grants.forget(lease, puts[i]?.lease ?? "0");
          }
          continue;
        }
        if (error.code !== "ETCD_TOO_LARGE") throw error;
        if (records.length < 2) throw tooLarge(error, records);
      }
      // The server's limits are smaller than the defaults.
      const middle = records.length >> 1;
      await this.#put(records.slice(0, middle));
      await this.#put(records.slice(middle));
      return;
    }
  }

  /**
   * Puts one record without a transaction, whose request is some bytes longer: the largest record that etcd accepts
   * can be restored. The id of its new lease may be longer than the old one; then a second put attaches the lease.
   */
  async #putAlone(put: Put): Promise<void> {
    const { signal } = this.#options;
    try {
      await this.#connection.call(PUT, put, { signal });
    } catch (error) {
      const isTooLarge = error instanceof EtcdError && error.code === "ETCD_TOO_LARGE";
      if (!isTooLarge || put.lease === "0") throw error;
      const { key, value, lease } = put;
      await this.#connection.call(PUT, { key, value }, { signal });
      await this.#connection.call(PUT, { key, lease, ignore_value: true }, { signal });
    }
  }
}

function tooLarge(cause: EtcdError, [record]: readonly EtcdRecord[]): EtcdError {
  if (record === undefined) return cause;
  const { key, value } = record;
  const { advice, endpoint, operation } = cause;
  return new EtcdError(
    "ETCD_TOO_LARGE",
    `${cause.message}: the record ${quoted(key)} has a value of ${value.length} bytes`,
    { cause, advice, endpoint, operation },
  );
}
