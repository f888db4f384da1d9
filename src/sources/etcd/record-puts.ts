import { throwIfAborted } from "../../errors.js";
import { CallWindow } from "../../flow/call-window.js";
import { quoted } from "../../quoted.js";
import type { EtcdConnection } from "./connection.js";
import { EtcdError } from "./errors.js";
import { LeaseGrants } from "./lease-grants.js";
import { encodePutTxn, type Put } from "./put-txn.js";
import { PUT, TXN } from "./rpc.js";
import type { EtcdRecord, LeasePolicy } from "./types.js";

export interface PutOptions {
  /** Granted TTL in seconds by the lease's id in the backup; may grow while records are put. */
  readonly leases: ReadonlyMap<bigint, number>;
  readonly policy: LeasePolicy;
  readonly signal: AbortSignal;
  /** No key comes twice, in whatever order they come. */
  readonly uniqueKeys?: boolean | undefined;
  /** Called with the number of records that etcd has confirmed since the last call. */
  readonly onPut?: (records: number) => void;
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
  readonly #inFlight = new CallWindow(IN_FLIGHT);
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
    let highest: Uint8Array | undefined;
    const flush = async (): Promise<void> => {
      if (txn.length === 0) return;
      const records = txn;
      txn = [];
      bytes = 0;
      await this.#inFlight.room();
      throwIfAborted(this.#options.signal);
      this.#inFlight.start(() => this.#send(records));
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
          const isAbove = highest === undefined || Buffer.compare(record.key, highest) > 0;
          if (!isAbove && this.#options.uniqueKeys !== true) {
            await flush();
            await this.#inFlight.drain();
          }
          highest = record.key;
          const size = record.key.length + record.value.length + PUT_OVERHEAD;
          if (txn.length >= TXN_RECORDS || bytes + size > TXN_BYTES) await flush();
          txn.push(record);
          bytes += size;
        }
      }
      await flush();
      await this.#inFlight.drain();
    } finally {
      await this.#inFlight.settled();
    }
    return { records: this.#records, expired: this.#expired };
  }

  async #send(records: readonly EtcdRecord[]): Promise<void> {
    await this.#put(records);
    this.#records += records.length;
    this.#options.onPut?.(records.length);
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
          const request = encodePutTxn(puts);
          // The response repeats the header for each put: it is not worth decoding.
          await this.#connection.callRaw(TXN.name, request, { signal });
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
