/**
 * So many of the longest times without a delta make nothing older: outages, and the nights of a week in which nothing
 * changes. With more of them the shorter ones count, so what an etcd that rarely changes keeps is bounded.
 */
const UNCOUNTED_PAUSES = 7;

/**
 * The newest time that is too old: more than a period before the last one, without the longest pauses since. So the first
 * delta after an outage, or of a clock that is ahead, makes none before it go: that takes a period of deltas.
 *
 * @param times at which something was written, ascending, seconds since 1970
 * @returns undefined if none is too old
 */
export function newestTooOld(times: Float64Array, periodSeconds: number): number | undefined {
  const last = times.at(-1) ?? 0;
  const longest = new Array<number>(UNCOUNTED_PAUSES).fill(0);
  let uncounted = 0;
  for (let i = times.length - 2; i >= 0; i--) {
    const time = times[i] ?? last;
    const pause = (times[i + 1] ?? last) - time;
    const shortest = Math.min(...longest);
    if (pause > shortest) {
      longest[longest.indexOf(shortest)] = pause;
      uncounted += pause - shortest;
    }
    if (last - time - uncounted > periodSeconds) return time;
  }
  return undefined;
}
