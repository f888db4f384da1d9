import { throwIfAborted } from "../../errors.js";
import { quoted } from "../../quoted.js";
import type { EtcdConnection } from "./connection.js";
import { EtcdError } from "./errors.js";
import { LeaseGrants } from "./lease-grants.js";
import { encodeAttach, encodePut, type Put } from "./put-request.js";
import { encodePutTxn, putSize } from "./txn-request.js";
import type { EtcdRecord, LeasePolicy } from "./types.js";

export interface PutOptions {
  /** Granted TTL in seconds by the lease's id in the backup; may grow while records are put. */
  readonly leases: ReadonlyMap<bigint, number>;
  readonly policy: LeasePolicy;
  readonly signal: AbortSignal;
  /** Called with the number of records that etcd has confirmed since the last call. */
  readonly onPut?: (records: number) => void;
}

/** etcd's own limits are 128 operations (--max-txn-ops) and 1.5 MiB (--max-request-bytes). */
const TXN_RECORDS = 128;
const TXN_BYTES = 1 << 20;
const IN_FLIGHT = 16;
/** A lease that expires while its records are put is granted again this often. */
const REGRANTS = 5;

/** Whether a record is not put: a key whose lease was gone when it was backed up lives on only without one. */
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
  /** The key up to which keys were taken since nothing was on its way. */
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
          if (!this.#wanted(record)) continue;
          // etcd takes a key once in a transaction, and transactions overtake each other. Backups are in the
          // order of their keys, so that a key which may have come before tells itself.
          if (this.#highest !== undefined && Buffer.compare(record.key, this.#highest) <= 0) {
            await flush();
            await this.#settled();
          }
          this.#highest = record.key;
          const size = putSize(record);
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

  /** Resolves when nothing is on its way. */
  async #settled(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.race(this.#inFlight);
  }

  #wanted(record: EtcdRecord): boolean {
    const leftOut = isLeftOut(record, this.#options);
    if (leftOut) this.#expired++;
    return !leftOut;
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
        const granted = lease === 0n || policy !== "regrant" ? 0n : await this.#grants.idFor(lease);
        puts.push({ key, value, lease: granted });
      }
      try {
        const [only] = puts;
        if (puts.length === 1 && only !== undefined) await this.#putAlone(only);
        else await this.#connection.call("KV/Txn", encodePutTxn(puts), { signal });
        return;
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        if (error.code === "ETCD_LEASE_GONE" && regrants < REGRANTS) {
          for (const [i, { lease }] of records.entries()) {
            if (lease !== 0n) await this.#grants.forget(lease, puts[i]?.lease ?? 0n);
          }
          continue;
        }
        if (error.code !== "ETCD_TOO_LARGE") throw error;
        if (records.length < 2) throw tooLarge(error, records);
      }
      // A server with smaller limits than usual.
      const middle = records.length >> 1;
      await this.#put(records.slice(0, middle));
      await this.#put(records.slice(middle));
      return;
    }
  }

  /**
   * Without a transaction, which takes some bytes more: the largest record that etcd takes must go back. A lease
   * can have a longer id than the one that it had, and is attached afterwards then.
   */
  async #putAlone(put: Put): Promise<void> {
    const { signal } = this.#options;
    try {
      await this.#connection.call("KV/Put", encodePut(put), { signal });
    } catch (error) {
      const isTooLarge = error instanceof EtcdError && error.code === "ETCD_TOO_LARGE";
      if (!isTooLarge || put.lease === 0n) throw error;
      await this.#connection.call("KV/Put", encodePut({ ...put, lease: 0n }), { signal });
      await this.#connection.call("KV/Put", encodeAttach(put), { signal });
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
