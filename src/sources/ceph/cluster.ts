import { access, constants, stat } from "node:fs/promises";
import { throwIfAborted } from "../../errors.js";
import { quoted } from "../../quoted.js";
import { SharedMemory } from "../../threads/shared-memory.js";
import { answered } from "./answered.js";
import { CephError, ENOENT, errnoNameOf } from "./errors.js";
import { type LibradosCluster, type Lists, newLibradosCluster } from "./librados.js";
import { CephPool } from "./pool.js";
import { creationTimes } from "./pool-times.js";
import { refuseTiers, type TierUse } from "./tiers.js";

/** How to reach a Ceph cluster, in the terms of the `ceph` program. */
export interface CephOptions {
  /** Path of ceph.conf. */
  readonly conf: string;
  /** `admin` or `client.admin`. */
  readonly user?: string | undefined;
  /** Path of the user's keyring; without it ceph.conf says where. */
  readonly keyring?: string | undefined;
  /** The cluster's name, `ceph` unless told. */
  readonly cluster?: string | undefined;
  /** Longest wait for one operation, seconds. */
  readonly opTimeoutSeconds?: number | undefined;
  /** Longest wait for the monitors, seconds. */
  readonly connectTimeoutSeconds?: number | undefined;
}

/** What a pool holds, about. */
export interface PoolStats {
  readonly objects: number;
  readonly bytes: number;
}

const OP_TIMEOUT_SECONDS = 120;
const CONNECT_TIMEOUT_SECONDS = 15;

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
    await checkReadable("configuration file", options.conf, "cephconf");
    if (options.keyring !== undefined) await checkReadable("keyring", options.keyring, "keyring");
    const native = newLibradosCluster();
    const given = options.user ?? "admin";
    const user = given.includes(".") ? given : `client.${given}`;
    try {
      const answer = await answered<Lists>(signal, (done) =>
        native.connect(user, options.cluster ?? "ceph", options.conf, settings(options), done),
      );
      if (answer.code < 0) throw connectError(answer.code, user, options);
      return new CephCluster(native, answer.results[1][0] ?? "", signal);
    } catch (error) {
      native.close();
      throw error;
    }
  }

  async listPools(): Promise<string[]> {
    const { code, results } = await answered<Lists>(this.#signal, (done) =>
      this.#native.pools(done),
    );
    if (code < 0) throw CephError.of(code, { operation: "list pools" });
    return [...results[1]];
  }

  /**
   * What the cluster last counted in each pool, head objects and clones of snapshots alike; pools that
   * there are not are missing. The counts reach the monitors by way of the manager, seconds late, and a
   * cluster without a manager has none: they serve for progress and nothing else.
   */
  async poolStats(names: readonly string[], signal: AbortSignal): Promise<Map<string, PoolStats>> {
    const { code, results } = await answered<Lists>(signal, (done) =>
      this.#native.poolStats(names, done),
    );
    if (code < 0) throw CephError.of(code, { operation: "count the objects of pools" });
    const [numbers, found] = results;
    return new Map(
      found.map((name, i) => [
        name,
        { objects: numbers[2 * i] ?? 0, bytes: numbers[2 * i + 1] ?? 0 },
      ]),
    );
  }

  /**
   * Names are listed in one pool alone, while reads and writes go through its cache tier.
   *
   * @throws CephError `CEPH_CACHE_TIER` when `use` of one of the pools would miss what a tier holds
   */
  async requireNoTiers(pools: readonly string[], use: TierUse): Promise<void> {
    const { code, results } = await answered<Lists>(this.#signal, (done) =>
      this.#native.poolTiers(pools, done),
    );
    if (code < 0) throw CephError.of(code, { operation: "look for cache tiers" });
    const [json] = results[1];
    if (json !== undefined) refuseTiers(JSON.parse(json), pools, use);
  }

  /**
   * When each pool was made, by its id: microseconds since 1970. A pool is missing where the monitors do not say it, or
   * not to this user.
   */
  async poolsCreated(): Promise<Map<number, number>> {
    const { code, results } = await answered<Lists>(this.#signal, (done) =>
      this.#native.poolDetails(done),
    );
    if (code < 0) {
      const error = CephError.of(code, { operation: "look when the pools were made" });
      if (error.code === "CEPH_DENIED") return new Map();
      throw error;
    }
    return creationTimes(JSON.parse(results[1][0] ?? "[]"));
  }

  /** Opens the head of a pool. */
  async openPool(name: string): Promise<CephPool> {
    const { code, results } = await answered<Lists>(this.#signal, (done) =>
      this.#native.openPool(name, done),
    );
    if (code === ENOENT) {
      throw new CephError(
        "CEPH_POOL_NOT_FOUND",
        `ceph: there is no pool ${quoted(name)}`,
        { operation: "open pool", pool: name, errnoName: "ENOENT" },
        { hint: "see `ceph osd pool ls`" },
      );
    }
    if (code < 0) throw CephError.of(code, { operation: "open pool", pool: name });
    const [number = -1, alignment = 0, id = -1] = results[0];
    const memory = this.#memory;
    return new CephPool({ native: this.#native, number, id, name, alignment, memory });
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#native.close();
  }
}

/** librados has no limits of its own: a stuck or full cluster would be waited for without end. */
function settings(options: CephOptions): (readonly [string, string])[] {
  const op = String(options.opTimeoutSeconds ?? OP_TIMEOUT_SECONDS);
  const connect = String(options.connectTimeoutSeconds ?? CONNECT_TIMEOUT_SECONDS);
  return [
    ["rados_osd_op_timeout", op],
    ["rados_mon_op_timeout", op],
    ["client_mount_timeout", connect],
    ...noticesOfDeadConnections(options.opTimeoutSeconds ?? OP_TIMEOUT_SECONDS),
    // Nothing of librados' own on the terminal or in /var/log: its errors come out as ours.
    ["log_to_stderr", "false"],
    ["err_to_stderr", "false"],
    ["log_file", ""],
    ["admin_socket", ""],
    // Half of what may be in flight by default is more memory than this program means to use.
    ["objecter_inflight_op_bytes", String(128 << 20)],
    ...(options.keyring === undefined ? [] : ([["keyring", options.keyring]] as const)),
  ];
}

/**
 * What librados does about connections that a firewall forgot. It makes one anew on which no answer came for
 * three quarters of an operation's time, and sends again what is under way, which OSDs notice; of its own it would
 * take 15 minutes or more. Bytes that are sent do not count for it, so the time must be long enough for a slow upload. A
 * connection that was idle for half of that time or longer is replaced in time for the operation that needs it.
 * Monitors are pinged; the pings suit the time as well where it is short.
 */
function noticesOfDeadConnections(opTimeoutSeconds: number): (readonly [string, string])[] {
  const pingTimeout = Math.max(3, Math.min(30, Math.ceil(opTimeoutSeconds / 3)));
  return [
    ["ms_connection_idle_timeout", String(Math.min(900, Math.ceil(opTimeoutSeconds * 0.75)))],
    ["mon_client_ping_interval", String(Math.floor(pingTimeout / 3))],
    ["mon_client_ping_timeout", String(pingTimeout)],
  ];
}

/** librados takes regular files alone: of a pipe it reads nothing, once a process writes to it. */
async function checkReadable(what: string, path: string, setting: string): Promise<void> {
  try {
    await access(path, constants.R_OK);
    if (!(await stat(path)).isFile()) throw new Error("it is not a regular file");
  } catch (cause) {
    throw new CephError(
      "CEPH_CONNECT",
      `ceph: the ${what} ${quoted(path)} cannot be read`,
      { operation: "connect" },
      {
        cause,
        hint: "it must be a regular file; check the path and its permissions, or leave Ceph out",
        settings: [setting, "skip-ceph"],
      },
    );
  }
}

function connectError(code: number, user: string, options: CephOptions): CephError {
  const errnoName = errnoNameOf(code);
  const said = REASONS[errnoName];
  return new CephError(
    "CEPH_CONNECT",
    `ceph: cannot connect as ${quoted(user)} with ${quoted(options.conf)}: ${said?.[0] ?? errnoName}`,
    { operation: "connect", errnoName },
    said && { hint: said[1], settings: said.slice(2) },
  );
}

/** By the name of the error: the reason, what to do about it, and the settings that it is about. */
const REASONS: Readonly<Record<string, readonly [string, string, ...string[]]>> = {
  ETIMEDOUT: ["no monitor answers (ETIMEDOUT)", "are mon_host in ceph.conf and the network right?"],
  ENOENT: [
    "no key for this user, or no monitors in ceph.conf (ENOENT)",
    "name the keyring and the user",
    "keyring",
    "ceph-user",
  ],
  EACCES: ["the key is not accepted (EACCES)", "check user and keyring", "ceph-user", "keyring"],
  EPERM: ["the key is not accepted (EPERM)", "check user and keyring", "ceph-user", "keyring"],
  EINVAL: [
    "ceph.conf cannot be understood (EINVAL)",
    "check the file, the user and the keyring",
    "cephconf",
    "ceph-user",
    "keyring",
  ],
  ENOTSUP: ["no way to authenticate (ENOTSUP)", "name the keyring", "keyring"],
  EOPNOTSUPP: ["no way to authenticate (EOPNOTSUPP)", "name the keyring", "keyring"],
};
