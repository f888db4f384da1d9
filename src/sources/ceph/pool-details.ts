import { quoted } from "../../quoted.js";
import { CephError } from "./errors.js";

/** Whether objects are only read, or also written or removed. */
export type TierUse = "read" | "write";

/** A pool in `ceph osd pool ls detail`. A tier of -1 is none. */
interface PoolDetail {
  readonly pool_id: number;
  /** Absent before Nautilus. */
  readonly create_time?: string;
  readonly pool_name: string;
  readonly tier_of: number;
  readonly read_tier: number;
  readonly write_tier: number;
  readonly cache_mode: string;
}

/**
 * Checks that none of the pools `names` has a cache tier, or is one. A tier that is not an overlay and has no mode does
 * nothing. A read-only tier holds copies, so a read misses nothing, but a write leaves its copy as it was.
 *
 * @throws CephError `CEPH_CACHE_TIER`
 */
export function checkTiers(
  pools: readonly PoolDetail[],
  names: readonly string[],
  use: TierUse,
): void {
  const hides = (mode: string): boolean => use === "write" || mode !== "readonly";
  for (const name of names) {
    const pool = pools.find(({ pool_name }) => pool_name === name);
    if (pool === undefined) continue;
    const overlay = pools.find(
      ({ pool_id }) => pool_id === pool.read_tier || pool_id === pool.write_tier,
    );
    if (overlay !== undefined && hides(overlay.cache_mode)) throw tiered(pool, pool, overlay);
    if (pool.tier_of < 0 || pool.cache_mode === "none" || !hides(pool.cache_mode)) continue;
    const base = pools.find(({ pool_id }) => pool_id === pool.tier_of);
    if (base !== undefined) throw tiered(pool, base, pool);
  }
}

function tiered(pool: PoolDetail, base: PoolDetail, cache: PoolDetail): CephError {
  const what =
    pool === base
      ? `has the cache tier ${quoted(cache.pool_name)} (${cache.cache_mode})`
      : `is a cache tier (${cache.cache_mode}) of the pool ${quoted(base.pool_name)}`;
  return new CephError(
    "CEPH_CACHE_TIER",
    `ceph: the pool ${quoted(pool.pool_name)} ${what}: objects that are in only one of the two would be missed`,
    { operation: "open pool", pool: pool.pool_name },
    {
      hint: "flush the tier and remove it (`rados cache-flush-evict-all`, `ceph osd tier remove-overlay`, `ceph osd tier remove`), or leave the pool out",
    },
  );
}

/** Local time of a monitor, in microseconds, with its offset from UTC. */
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})([+-]\d\d)(\d\d)$/;

/** Creation times of pools by id, microseconds since 1970. A pool without a time is missing. */
export function creationTimes(
  pools: readonly Pick<PoolDetail, "pool_id" | "create_time">[],
): Map<number, number> {
  const times = new Map<number, number>();
  for (const { pool_id, create_time = "" } of pools) {
    const [, seconds, micros, hours, minutes] = TIME.exec(create_time) ?? [];
    const time = Date.parse(`${seconds}${hours}:${minutes}`);
    if (Number.isSafeInteger(time)) times.set(pool_id, time * 1000 + Number(micros));
  }
  return times;
}
