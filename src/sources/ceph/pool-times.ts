/** A pool in `ceph osd pool ls detail`. Clusters before Nautilus have no time. */
interface PoolDetail {
  readonly pool_id: number;
  readonly create_time?: string;
}

/** Local time of a monitor, to the microsecond, and its offset from UTC. */
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})([+-]\d\d)(\d\d)$/;

/** When each pool was created, by its id: microseconds since 1970. A pool without a time is missing. */
export function creationTimes(pools: readonly PoolDetail[]): Map<number, number> {
  const times = new Map<number, number>();
  for (const { pool_id, create_time = "" } of pools) {
    const [, seconds, micros, hours, minutes] = TIME.exec(create_time) ?? [];
    const time = Date.parse(`${seconds}${hours}:${minutes}`);
    if (Number.isSafeInteger(time)) times.set(pool_id, time * 1000 + Number(micros));
  }
  return times;
}
