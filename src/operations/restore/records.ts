import type { ArchivedLease, ArchivedRecord } from "../../archive/records.js";
import type { EtcdCluster } from "../../sources/etcd/cluster.js";
import { isLeftOut } from "../../sources/etcd/record-puts.js";
import type { EtcdRecord, LeasePolicy } from "../../sources/etcd/types.js";
import { Channel } from "../../flow/channel.js";

/** Writes records into etcd through one pipeline of transactions, in the order of the archive. */
export class EtcdTarget {
  readonly #etcd: EtcdCluster;
  readonly #policy: LeasePolicy;
  readonly #signal: AbortSignal;
  readonly #uniqueKeys: boolean;
  readonly #leases = new Map<bigint, number>();
  #channel: Channel<EtcdRecord[]> | undefined;
  #put: Promise<void> = Promise.resolve();
  /** Records that etcd has confirmed. */
  records = 0;
  /** Records that were left out because their lease had expired, or is dropped. */
  expired = 0;

  /** @param uniqueKeys no key is put twice, in whatever order they are put */
  constructor(etcd: EtcdCluster, policy: LeasePolicy, signal: AbortSignal, uniqueKeys = false) {
    this.#uniqueKeys = uniqueKeys;
    this.#etcd = etcd;
    this.#policy = policy;
    this.#signal = signal;
  }

  addLeases(leases: readonly ArchivedLease[]): void {
    for (const { id, grantedTtl } of leases) this.#leases.set(id, grantedTtl);
  }

  /** Resolves when the pipeline has taken the records; throws the error of the pipeline. */
  async put(records: readonly ArchivedRecord[]): Promise<void> {
    const channel = this.#channel ?? this.#start();
    await channel.send([...records]);
  }

  /**
   * Removes the keys of records that {@link put} leaves out: a base may have put other values there. Returns how many
   * existed.
   */
  async removeLeftOut(records: readonly ArchivedRecord[]): Promise<number> {
    const settings = { policy: this.#policy, leases: this.#leases };
    const keys = records.filter((record) => isLeftOut(record, settings)).map(({ key }) => key);
    // No put of these keys is in flight: a backup has each key once, and its bases are restored.
    return keys.length === 0 ? 0 : await this.#etcd.deleteKeys(keys, this.#signal);
  }

  async remove(keys: readonly Uint8Array[]): Promise<number> {
    await this.drain();
    return this.#etcd.deleteKeys(keys, this.#signal);
  }

  /** Resolves when etcd has all records. */
  async drain(): Promise<void> {
    this.#channel?.end();
    this.#channel = undefined;
    await this.#put;
  }

  async abandon(error: unknown): Promise<void> {
    this.#channel?.fail(error);
    await this.#put.catch(() => {});
  }

  #start(): Channel<EtcdRecord[]> {
    const channel = new Channel<EtcdRecord[]>();
    this.#channel = channel;
    this.#put = this.#etcd
      .putRecords(channel, {
        leases: this.#leases,
        policy: this.#policy,
        signal: this.#signal,
        uniqueKeys: this.#uniqueKeys,
        onPut: (records) => {
          this.records += records;
        },
      })
      .then(({ expired }) => {
        this.expired += expired;
      });
    this.#put.catch((error) => channel.fail(error));
    return channel;
  }
}
