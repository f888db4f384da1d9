import { logLines } from "../../operations/history/plan/log-line.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import type { ListedDelta } from "../../snapshots/streams/delta-table.js";
import type { StoredStream } from "../../snapshots/streams/stored-stream.js";
import type { StreamName } from "../../snapshots/streams/stream-name.js";
import type { Site as SiteName } from "../status.js";
import { RevisionRanges } from "./revision-ranges.js";
import { type ListedLog, SiteLog } from "./site-log.js";

/** What a listing of a store shows of the history of etcd. */
export interface ListedHistory {
  readonly snapshots: readonly StoredSnapshot[];
  readonly streams: readonly StoredStream[];
  /** Complete backups with a raw snapshot. */
  readonly bases: readonly {
    readonly revision: number;
    /** When it was complete, ms since 1970. */
    readonly takenMs: number;
  }[];
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
        streams: streams.filter(({ name }) => name.time >= sinceSeconds),
        bases: bases.filter(({ takenMs }) => isAfter(takenMs, sinceSeconds)),
      },
    ]),
  );
  const merged = mergedStreams([...recent.values()].flatMap(({ streams }) => streams));
  const [line] = logLines(merged.map(plannedStream));
  const segments = line?.segments ?? [];
  const isOther = (revision: number, takenMs: number): boolean =>
    segments.some(
      ({ stream: { name } }) => name.firstRevision <= revision && !isAfter(takenMs, name.time),
    );
  const held = new Map<SiteName, ListedLog>();
  for (const [site, { streams, bases }] of recent) {
    const ranges = new RevisionRanges();
    for (const { stream, first, last } of segments) {
      const here = streams.find(({ name }) => name.text === stream.name.text);
      for (const run of here?.runs ?? []) {
        ranges.add({ first: Math.max(first, run.first), last: Math.min(last, run.last) });
      }
    }
    const revisions = bases
      .filter(({ revision, takenMs }) => !isOther(revision, takenMs))
      .filter((base) => isInLog(base, streams))
      .map(({ revision }) => revision);
    for (const { name, base } of streams) {
      // Its own stream begins with the next revision.
      if (base?.state === "complete" && !isOther(base.revision, name.time * 1000)) {
        revisions.push(base.revision);
      }
    }
    held.set(site, { ranges, bases: revisions });
  }
  return {
    held,
    end: unionOf([...held.values()]).durable,
    last: segments.at(-1)?.last,
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
  const [line] = logLines(mergedStreams(streams).map(plannedStream));
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

/**
 * Whether a backup is known to be of the history that the log has: a stream begins right after it, since the writer had
 * compared them, or the log had its revision before the backup was complete.
 */
function isInLog(
  { revision, takenMs }: ListedHistory["bases"][number],
  streams: readonly StoredStream[],
): boolean {
  return streams.some(({ name, deltas, first, last }) => {
    if (name.firstRevision === revision + 1) return !isAfter(takenMs, name.time);
    if (first === undefined || last === undefined || revision < first || revision > last) {
      return false;
    }
    for (let i = deltas.length - 1; i >= 0; i--) {
      const delta = deltas.at(i);
      if (delta.first <= revision) return delta.last >= revision && isAfter(takenMs, delta.time);
    }
    return false;
  });
}

/** Whether a backup was complete after a second: in the same one, nothing tells which was first. */
function isAfter(takenMs: number, seconds: number): boolean {
  return seconds === 0 || takenMs >= (seconds + 1) * 1000;
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

interface MergedStream {
  readonly name: StreamName;
  readonly ranges: RevisionRanges;
  /** The first delta of any copy; undefined without deltas. */
  first: ListedDelta | undefined;
  hasBase: boolean;
}

/** One of each name, with what any copy of it holds. */
function mergedStreams(streams: readonly StoredStream[]): MergedStream[] {
  const merged = new Map<string, MergedStream>();
  for (const { name, runs, base, deltas } of streams) {
    const empty = { name, ranges: new RevisionRanges(), first: undefined, hasBase: false };
    const one: MergedStream = merged.get(name.text) ?? empty;
    merged.set(name.text, one);
    const first = deltas.length === 0 ? undefined : deltas.at(0);
    if (first !== undefined && first.number < (one.first?.number ?? Number.POSITIVE_INFINITY)) {
      one.first = first;
    }
    for (const run of runs) one.ranges.add(run);
    one.hasBase ||= base?.state === "complete";
  }
  return [...merged.values()];
}

/** For the lines of the log, which ask when its first delta was. */
function plannedStream({ name, ranges, first }: MergedStream) {
  const runs = [...ranges].map((range) => ({ ...range, at: 0, count: 1 }));
  const at = () =>
    first ?? { first: name.firstRevision, last: name.firstRevision, time: name.time };
  return { name, runs, deltas: { at } };
}

function lackingOf(
  streams: readonly StoredStream[],
  merged: readonly MergedStream[],
  sinceSeconds: number,
): string[] {
  const lacks = ({ name, ranges, hasBase }: MergedStream): boolean => {
    if (name.time < sinceSeconds) return false;
    const here = streams.find((one) => one.name.text === name.text);
    if (hasBase && here?.base?.state !== "complete") return true;
    const own = new RevisionRanges(here?.runs ?? []);
    return [...ranges].some((range) => !own.has(range));
  };
  return merged
    .filter(lacks)
    .sort((a, b) => b.name.time - a.name.time)
    .map(({ name }) => name.text);
}

function unionOf(logs: readonly ListedLog[]): SiteLog {
  const union = new SiteLog();
  for (const { ranges, bases } of logs) {
    for (const range of ranges) union.addDelta(range);
    for (const base of bases) union.addBase(base);
  }
  return union;
}
