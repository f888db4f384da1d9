import { throwIfAborted } from "../../errors.js";
import { inParallel } from "../../flow/in-parallel.js";
import { EtcdConnection } from "./connection.js";
import { decodeDeleted, decodeTxnDeleted, encodeDeleteRange } from "./delete-messages.js";
import { EtcdError } from "./errors.js";
import { decodeLeaseTimeToLive, encodeLeaseTimeToLive } from "./lease-messages.js";
import type { EtcdOptions } from "./options.js";
import { readPages } from "./range-pages.js";
import { encodeRangeRequest, keyAfter, ZERO_KEY } from "./range-request.js";
import { decodeRecords, scanRangeResponse } from "./range-response.js";
import { type PutOptions, RecordPuts } from "./record-puts.js";
import { encodeDeleteTxn } from "./txn-request.js";
import type { EtcdLease, EtcdRecord } from "./types.js";

export type { EtcdOptions } from "./options.js";

/** Keys that one range deletion takes at most, so that each is one short raft entry. */
const KEYS_A_DELETION = 20_000;
const LEASES_AT_ONCE = 16;
const KEYS_AT_ONCE = 16;

/** A connection to one etcd cluster. */
export class EtcdCluster {
  readonly #connection: EtcdConnection;
  /** Deletions in one transaction: etcd's own limit unless --max-txn-ops was changed. */
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

  async currentRevision(signal?: AbortSignal): Promise<number> {
    return (await this.#connection.header(signal)).revision;
  }

  /** Keys at `revision`. */
  async countKeys(revision: number, signal?: AbortSignal): Promise<number> {
    const request = { key: ZERO_KEY, rangeEnd: ZERO_KEY, revision, countOnly: true };
    const answer = await this.#connection.call("KV/Range", encodeRangeRequest(request), { signal });
    return scanRangeResponse(answer).count;
  }

  /** Whether there is any key. */
  async hasKeys(signal: AbortSignal): Promise<boolean> {
    const request = { key: ZERO_KEY, rangeEnd: ZERO_KEY, limit: 1, keysOnly: true };
    const answer = await this.#connection.call("KV/Range", encodeRangeRequest(request), { signal });
    return scanRangeResponse(answer).keys > 0;
  }

  /** How many of `keys` there are. */
  async countExisting(keys: Iterable<Uint8Array>, signal: AbortSignal): Promise<number> {
    let found = 0;
    await inParallel(keys, KEYS_AT_ONCE, async (key) => {
      const request = encodeRangeRequest({ key, countOnly: true });
      const answer = await this.#connection.call("KV/Range", request, { signal });
      found += scanRangeResponse(answer).count;
    });
    return found;
  }

  /**
   * All records at `revision`, in key order, a page at a time.
   *
   * @throws EtcdError `ETCD_COMPACTED` when the revision is gone
   */
  async *readRecords(options: {
    readonly revision: number;
    readonly signal: AbortSignal;
  }): AsyncGenerator<EtcdRecord[]> {
    for await (const page of readPages(this.#connection, options)) yield decodeRecords(page);
  }

  /** The granted times of those leases that still live. */
  async readLeases(ids: Iterable<bigint>, signal: AbortSignal): Promise<EtcdLease[]> {
    const left = [...ids];
    const found: EtcdLease[] = [];
    const work = async (): Promise<void> => {
      for (let id = left.pop(); id !== undefined; id = left.pop()) {
        const request = encodeLeaseTimeToLive(id);
        const answer = await this.#connection.call("Lease/LeaseTimeToLive", request, { signal });
        const { left: seconds, granted } = decodeLeaseTimeToLive(answer);
        if (seconds >= 0n && granted > 0) found.push({ id, grantedTtl: granted });
      }
    };
    await Promise.all(Array.from({ length: LEASES_AT_ONCE }, work));
    return found.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Puts records in transactions, several in flight; no order between them is kept. */
  putRecords(
    batches: AsyncIterable<readonly EtcdRecord[]>,
    options: PutOptions,
  ): Promise<{ records: number; expired: number }> {
    return new RecordPuts(this.#connection, options).run(batches);
  }

  /** Deletes single keys; returns how many there were. */
  async deleteKeys(keys: readonly Uint8Array[], signal: AbortSignal): Promise<number> {
    let deleted = 0;
    for (let at = 0; at < keys.length; ) {
      const some = keys.slice(at, at + this.#deletesATxn);
      const request = encodeDeleteTxn(some);
      try {
        deleted += decodeTxnDeleted(await this.#connection.call("KV/Txn", request, { signal }));
        at += some.length;
      } catch (error) {
        const tooMany = error instanceof EtcdError && error.code === "ETCD_TOO_LARGE";
        if (!tooMany || some.length < 2) throw error;
        // A server with a smaller --max-txn-ops than usual.
        this.#deletesATxn = some.length >> 1;
      }
    }
    return deleted;
  }

  /** Deletes every key; returns how many there were. */
  async deleteAll(signal: AbortSignal): Promise<number> {
    let deleted = 0;
    for (;;) {
      throwIfAborted(signal);
      const listing = encodeRangeRequest({
        key: ZERO_KEY,
        rangeEnd: ZERO_KEY,
        limit: KEYS_A_DELETION,
        keysOnly: true,
      });
      const answer = await this.#connection.call("KV/Range", listing, { signal, anySize: true });
      const { firstKey, lastKey } = scanRangeResponse(answer);
      if (firstKey === undefined || lastKey === undefined) return deleted;
      const deletion = encodeDeleteRange(firstKey, keyAfter(lastKey));
      deleted += decodeDeleted(await this.#connection.call("KV/DeleteRange", deletion, { signal }));
    }
  }

  close(): void {
    this.#connection.close();
  }
}
