import { throwIfAborted } from "../../errors.js";
import { inParallel } from "../../flow/in-parallel.js";
import { EtcdConnection } from "./connection.js";
import { EtcdError } from "./errors.js";
import { keyAfter, ZERO_KEY } from "./key-order.js";
import { readLeases } from "./leases.js";
import type { EtcdOptions } from "./options.js";
import { readPages } from "./range-pages.js";
import { decodeRecords, scanRangeResponse } from "./range-response.js";
import { type PutOptions, RecordPuts } from "./record-puts.js";
import { DELETE_RANGE, RANGE, TXN } from "./rpc.js";
import type { EtcdLease, EtcdRecord } from "./types.js";

export type { EtcdOptions } from "./options.js";

/** Keys that one range deletion takes at most, so that each is one short raft entry. */
const KEYS_A_DELETION = 20_000;
const KEYS_AT_ONCE = 16;
const ALL_KEYS = { key: ZERO_KEY, range_end: ZERO_KEY };

/** A connection to one etcd cluster. */
export class EtcdCluster {
  readonly #connection: EtcdConnection;
  /** Deletions in one transaction: etcd's default, until a server with a smaller --max-txn-ops rejects it. */
  #deletesATxn = 128;

  private constructor(connection: EtcdConnection) {
    this.#connection = connection;
  }

  /** @throws EtcdError, UsageError, InterruptedError */
  static async connect(options: EtcdOptions, signal?: AbortSignal): Promise<EtcdCluster> {
    return new EtcdCluster(await EtcdConnection.open(options, signal));
  }

  /** Hexadecimal, as etcd prints it. */
  get clusterId(): string {
    return this.#connection.clusterId;
  }

  currentRevision(signal?: AbortSignal): Promise<number> {
    return this.#connection.currentRevision(signal);
  }

  /** Keys at `revision`. */
  async countKeys(revision: number, signal?: AbortSignal): Promise<number> {
    const request = { ...ALL_KEYS, revision, count_only: true };
    const { count = 0 } = await this.#connection.call(RANGE, request, { signal });
    return Number(count);
  }

  /** Whether there is any key. */
  async hasKeys(signal: AbortSignal): Promise<boolean> {
    const request = { ...ALL_KEYS, limit: 1, keys_only: true };
    const { kvs = [] } = await this.#connection.call(RANGE, request, { signal });
    return kvs.length > 0;
  }

  /** How many of `keys` exist. */
  async countExisting(keys: Iterable<Uint8Array>, signal: AbortSignal): Promise<number> {
    let found = 0;
    await inParallel(keys, KEYS_AT_ONCE, async (key) => {
      const request = { key, count_only: true };
      const { count = 0 } = await this.#connection.call(RANGE, request, { signal });
      found += Number(count);
    });
    return found;
  }

  /**
   * All records at `revision`, in key order, a page at a time.
   *
   * @throws EtcdError `ETCD_COMPACTED` when etcd has compacted the revision
   */
  async *readRecords(options: {
    readonly revision: number;
    readonly signal: AbortSignal;
  }): AsyncGenerator<EtcdRecord[]> {
    for await (const page of readPages(this.#connection, options)) yield decodeRecords(page);
  }

  /** The granted times of those leases that still live. */
  readLeases(ids: Iterable<bigint>, signal: AbortSignal): Promise<EtcdLease[]> {
    return readLeases(this.#connection, ids, signal);
  }

  /** Puts records in transactions, several in flight, in no order. */
  putRecords(
    batches: AsyncIterable<readonly EtcdRecord[]>,
    options: PutOptions,
  ): Promise<{ records: number; expired: number }> {
    return new RecordPuts(this.#connection, options).run(batches);
  }

  /** Deletes single keys; returns how many existed. */
  async deleteKeys(keys: readonly Uint8Array[], signal: AbortSignal): Promise<number> {
    let deleted = 0;
    for (let at = 0; at < keys.length; ) {
      const some = keys.slice(at, at + this.#deletesATxn);
      const success = some.map((key) => ({ request_delete_range: { key } }));
      try {
        const { responses = [] } = await this.#connection.call(TXN, { success }, { signal });
        for (const { response_delete_range: range } of responses) {
          deleted += Number(range?.deleted ?? 0);
        }
        at += some.length;
      } catch (error) {
        const tooMany = error instanceof EtcdError && error.code === "ETCD_TOO_LARGE";
        if (!tooMany || some.length < 2) throw error;
        this.#deletesATxn = some.length >> 1;
      }
    }
    return deleted;
  }

  /** Deletes every key; returns how many existed. */
  async deleteAll(signal: AbortSignal): Promise<number> {
    const listing = RANGE.encode({ ...ALL_KEYS, limit: KEYS_A_DELETION, keys_only: true });
    let total = 0;
    for (;;) {
      throwIfAborted(signal);
      const options = { signal, anySize: true };
      const answer = await this.#connection.callRaw(RANGE.name, listing, options);
      const { firstKey, lastKey } = scanRangeResponse(answer);
      if (firstKey === undefined || lastKey === undefined) return total;
      const range = { key: firstKey, range_end: keyAfter(lastKey) };
      const { deleted = 0 } = await this.#connection.call(DELETE_RANGE, range, { signal });
      total += Number(deleted);
    }
  }

  close(): void {
    this.#connection.close();
  }
}
