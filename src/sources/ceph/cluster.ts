import { throwIfAborted } from "../../errors.js";
import { quoted } from "../../quoted.js";
import { SharedMemory } from "../../threads/shared-memory.js";
import { callBinding } from "./binding-call.js";
import { checkReadable, connectFailure } from "./connect-failure.js";
import { type CephOptions, connectSettings, userName } from "./connect-settings.js";
import { CephError } from "./errors.js";
import {
  type Callback,
  type LibradosCluster,
  newLibradosCluster,
  type OpenPool,
  type PoolStats,
} from "./librados.js";
import { CephPool } from "./pool.js";
import { checkTiers, creationTimes, type TierUse } from "./pool-details.js";

export type { CephOptions } from "./connect-settings.js";

/** A connection to one Ceph cluster. */
export class CephCluster {
  /** The cluster's id. */
  readonly fsid: string;
  readonly #native: LibradosCluster;
  readonly #memory = new SharedMemory();
  readonly #signal: AbortSignal;

  private constructor(native: LibradosCluster, fsid: string, signal: AbortSignal) {
    this.#native = native;
    this.fsid = fsid;
    this.#signal = signal;
  }

  /** @throws CephError, InterruptedError */
  static async connect(options: CephOptions, signal: AbortSignal): Promise<CephCluster> {
    throwIfAborted(signal);
    const { conf, keyring, cluster = "ceph" } = options;
    await checkReadable("configuration file", conf, "cephconf");
    if (keyring !== undefined) await checkReadable("keyring", keyring, "keyring");
    const user = userName(options.user);
    const request = { user, cluster, conf, settings: connectSettings(options) };
    const native = newLibradosCluster();
    try {
      const fsid = await callBinding<string>(signal, { operation: "connect" }, (done) =>
        native.connect(request, done),
      );
      return new CephCluster(native, fsid, signal);
    } catch (error) {
      native.close();
      throw error instanceof CephError ? connectFailure(error, user, conf) : error;
    }
  }

  async listPools(): Promise<string[]> {
    const start = (done: Callback<readonly string[]>) => this.#native.listPools(done);
    return [...(await this.#call("list pools", start))];
  }

  /**
   * The last counts of the cluster for those of these pools that exist; clones of snapshots count too. Counts come from a
   * manager, seconds late, and there are none without one: use them for progress only.
   */
  poolStats(names: readonly string[], signal: AbortSignal): Promise<readonly PoolStats[]> {
    const context = { operation: "count the objects of pools" };
    return callBinding(signal, context, (done: Callback<readonly PoolStats[]>) =>
      this.#native.poolStats(names, done),
    );
  }

  /**
   * Checks for cache tiers: a listing has the names of one pool, but reads and writes go through its tier.
   *
   * @throws CephError `CEPH_CACHE_TIER` when `use` of one of the pools would miss objects in a tier
   */
  async checkTiers(pools: readonly string[], use: TierUse): Promise<void> {
    const start = (done: Callback<string>) => this.#native.poolTiers(pools, done);
    checkTiers(JSON.parse(await this.#call("look for cache tiers", start)), pools, use);
  }

  /**
   * Creation times of pools by id, microseconds since 1970. Pools are missing where the monitors have no time, or deny it to
   * this user.
   */
  async poolsCreated(): Promise<Map<number, number>> {
    const start = (done: Callback<string>) => this.#native.poolDetails(done);
    try {
      return creationTimes(JSON.parse(await this.#call("read when the pools were created", start)));
    } catch (error) {
      if (error instanceof CephError && error.code === "CEPH_DENIED") return new Map();
      throw error;
    }
  }

  /** @throws CephError `CEPH_POOL_NOT_FOUND` */
  async openPool(name: string): Promise<CephPool> {
    const context = { operation: "open pool", pool: name };
    try {
      const pool = await callBinding(this.#signal, context, (done: Callback<OpenPool>) =>
        this.#native.openPool(name, done),
      );
      return new CephPool({ ...pool, native: this.#native, name, memory: this.#memory });
    } catch (error) {
      if (!(error instanceof CephError) || error.errnoName !== "ENOENT") throw error;
      throw new CephError(
        "CEPH_POOL_NOT_FOUND",
        `ceph: there is no pool ${quoted(name)}`,
        { ...context, errnoName: "ENOENT" },
        { hint: "see `ceph osd pool ls`" },
      );
    }
  }

  /** Ends calls that are under way with InterruptedError. */
  async close(): Promise<void> {
    this.#native.close();
  }

  #call<Result>(operation: string, start: (done: Callback<Result>) => void): Promise<Result> {
    return callBinding(this.#signal, { operation }, start);
  }
}
