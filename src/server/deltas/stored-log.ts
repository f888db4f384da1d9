import { logLines } from "../../operations/history/plan/log-line.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import type { ListedDelta } from "../../snapshots/streams/delta-table.js";
import type { StoredStream } from "../../snapshots/streams/stored-stream.js";
import type { Site as SiteName } from "../status.js";
import { baseBegunMs, type MergedStream, mergedStreams } from "./merged-stream.js";
import {
  type HeldLog,
  heldOf,
  isLater,
  type ListedBase,
  newestHistory,
  restorablePart,
} from "./newest-history.js";
import { RevisionRanges } from "./revision-ranges.js";
import { type ListedLog, SiteLog } from "./site-log.js";

/** What a listing of a store shows of the history of etcd. */
export interface ListedHistory {
  readonly snapshots: readonly StoredSnapshot[];
  readonly streams: readonly StoredStream[];
  /** Complete backups with a raw snapshot. */
  readonly bases: readonly ListedBase[];
}

/** The newest history of etcd, as the stores hold it. */
export interface StoredLog {
  /** What of it each site holds. */
  readonly held: ReadonlyMap<SiteName, ListedLog>;
  /** The last revision that follows a base without a gap in the stores together. */
  readonly end: number | undefined;
  /** The last revision of all deltas. */
  readonly last: number | undefined;
  /** The streams of which a site lacks what another one has, the newest first. */
  readonly lacking: ReadonlyMap<SiteName, readonly string[]>;
}

/** @param sinceSeconds streams and backups from before belong to another history, seconds since 1970 */
export function storedLog(
  sites: ReadonlyMap<SiteName, Pick<ListedHistory, "streams" | "bases">>,
  sinceSeconds = 0,
): StoredLog {
  const recent = new Map(
    [...sites].map(([site, { streams, bases }]) => [
      site,
      {
        streams: streams.filter((stream) => baseBegunMs(stream) >= 1000 * sinceSeconds),
        bases: bases.filter(
          ({ begunMs }) => sinceSeconds === 0 || isLater(begunMs, { time: sinceSeconds }),
        ),
      },
    ]),
  );
  const merged = mergedStreams([...recent.values()].flatMap(({ streams }) => streams));
  const newest = newestHistory(merged);
  const all = new Map(
    [...recent].map(([site, listed]) => [site, heldOf(listed, newest, merged)] as const),
  );
  return {
    held: new Map([...all].map(([site, log]) => [site, restorablePart(log, newest)])),
    end: endOf([...all.values()]),
    last: newest.segments.at(-1)?.last,
    lacking: new Map(
      [...recent].map(([site, { streams }]) => [site, lackingOf(streams, merged, sinceSeconds)]),
    ),
  };
}

/** Up to which revisions the deltas of the newest history go, and when their last was seen: in the order of revisions. */
export function deltaTimes(
  sites: ReadonlyMap<SiteName, Pick<ListedHistory, "streams">>,
): { readonly last: number; readonly time: number }[] {
  const streams = [...sites.values()].flatMap((site) => site.streams);
  const [line] = logLines(mergedStreams(streams));
  const times = new Map<number, number>();
  for (const { stream, first, last } of line?.segments ?? []) {
    for (const { name, deltas } of streams) {
      if (name.text !== stream.name.text) continue;
      for (let i = 0; i < deltas.length; i++) {
        const delta = deltas.at(i);
        if (delta.last >= first && delta.last <= last) times.set(delta.last, delta.time);
      }
    }
  }
  return [...times].map(([last, time]) => ({ last, time })).sort((a, b) => a.last - b.last);
}

/** The delta that ends with a revision, and its stream. */
export function deltaEndingWith(
  revision: number,
  { streams }: Pick<ListedHistory, "streams">,
): { readonly stream: StoredStream; readonly delta: ListedDelta } | undefined {
  // The newest stream is that of the newest history.
  for (const stream of [...streams].reverse()) {
    for (let i = stream.deltas.length - 1; i >= 0; i--) {
      const delta = stream.deltas.at(i);
      if (delta.last === revision) return { stream, delta };
      if (delta.last < revision) break;
    }
  }
  return undefined;
}

function lackingOf(
  streams: readonly StoredStream[],
  merged: readonly MergedStream[],
  sinceSeconds: number,
): string[] {
  const lacks = ({ name, runs, hasBase }: MergedStream): boolean => {
    if (name.time < sinceSeconds) return false;
    const here = streams.find((one) => one.name.text === name.text);
    if (hasBase && here?.base?.state !== "complete") return true;
    const own = new RevisionRanges(here?.runs ?? []);
    return runs.some((range) => !own.has(range));
  };
  return merged
    .filter(lacks)
    .sort((a, b) => b.name.time - a.name.time)
    .map(({ name }) => name.text);
}

function endOf(logs: readonly HeldLog[]): number | undefined {
  const union = new SiteLog();
  for (const { ranges, bases } of logs) {
    for (const range of ranges) union.addDelta(range);
    for (const { revision } of bases) union.addBase(revision);
  }
  return union.durable;
}
