/** A pool in `ceph osd pool ls detail`. Clusters before Nautilus do not say when it was made. */
interface PoolDetail {
  readonly pool_id: number;
  readonly create_time?: string;
}

/** Local time of the monitor that answers, to the microsecond, and its distance to UTC. */
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})([+-]\d\d)(\d\d)$/;

/** When each pool was made, by its id, microseconds since 1970; without those of which it is not known. */
export function creationTimes(pools: readonly PoolDetail[]): Map<number, number> {
  const times = new Map<number, number>();
  for (const { pool_id, create_time = "" } of pools) {
    const [, seconds, micros, hours, minutes] = TIME.exec(create_time) ?? [];
    const time = Date.parse(`${seconds}${hours}:${minutes}`);
    if (Number.isSafeInteger(time)) times.set(pool_id, time * 1000 + Number(micros));
  }
  return times;
}
