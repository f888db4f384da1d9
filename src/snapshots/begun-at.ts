/**
 * From when on a raw snapshot has all changes that were seen before, ms since 1970. A name, which has seconds, is ahead of the
 * clock where others were, and late where deltas were merged. A manifest may hold any text.
 *
 * @param startedAt of the manifest
 * @param seconds of the name, since 1970
 */
export function begunAt(startedAt: string, seconds: number): number {
  const ms = Date.parse(startedAt);
  return Number.isNaN(ms) ? seconds * 1000 : Math.min(ms, seconds * 1000);
}
