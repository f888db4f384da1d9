import type { SnapshotFacts, StoredSnapshot } from "../catalog.js";
import type { StoredStream } from "./stored-stream.js";

/** What the plans of deletions need to know of a stream. */
export type NeedyStream = Pick<
  StoredStream,
  "name" | "base" | "runs" | "first" | "last" | "lastSeen"
>;

/** What those plans need to know of a backup. */
export interface NeededSnapshot extends Pick<StoredSnapshot, "name" | "state"> {
  readonly facts?: Pick<SnapshotFacts, "etcdSnapshot"> | undefined;
}

/** A raw snapshot of etcd in a store: that of a backup, or of a stream. */
interface Base {
  /** Name of the backup or stream. */
  readonly name: string;
  readonly revision: number;
  /** Seconds since 1970. */
  readonly time: number;
}

/** Beyond so many gaps in one stream, all bases in it are needed: a hostile store may have thousands of gaps. */
const MAX_RUNS = 100;

/**
 * Which of the backups and streams in a store the deltas in it need. A delta is of use with a base before it and all
 * revisions in between, whatever streams they are in.
 *
 * After a restore of etcd to the past revisions repeat, and names do not tell which of two histories a base is of: the
 * newest base by its time counts, and that with the highest revision as well. Where no base has all revisions up to a
 * delta, the newest is needed all the same, since another store may have the rest; and so is the first one that the
 * following deltas can go on from.
 */
export class LogNeeds<S extends NeedyStream> {
  readonly #streams: readonly S[];
  readonly #bases: readonly Base[];

  constructor(snapshots: readonly NeededSnapshot[], streams: readonly S[]) {
    this.#streams = streams;
    this.#bases = [...snapshots.flatMap(baseOfSnapshot), ...streams.flatMap(baseOfStream)];
  }

  /** Names of the backups and other streams that the deltas of a stream need. What those need is not among them. */
  needsOf(stream: S): Set<string> {
    const needed = new Set<string>();
    for (const [i, run] of stream.runs.entries()) {
      // Its writer began with that base: whatever else has this revision may be of another history.
      if (baseOfStream(stream).some(({ revision }) => revision === run.first - 1)) continue;
      if (i < MAX_RUNS && this.#needBefore(run.first, stream, needed)) continue;
      const inside = this.#bases
        .filter(({ revision }) => run.first <= revision && revision <= run.last)
        .sort((a, b) => a.revision - b.revision || a.time - b.time);
      if (i >= MAX_RUNS) for (const { name } of inside) needed.add(name);
      for (const base of [inside[0], inside.find(({ time }) => time <= endOf(stream))]) {
        if (base !== undefined) needed.add(base.name);
      }
    }
    needed.delete(stream.name.text);
    return needed;
  }

  /** Adds what the revisions of a stream from `first` on need. Returns whether each of two choices reaches them. */
  #needBefore(first: number, stream: S, needed: Set<string>): boolean {
    const before = this.#bases.filter(({ revision }) => revision < first);
    // A base that was begun after the stream ended is of another history, or a clock was wrong.
    const inTime = before.filter(({ time }) => time <= endOf(stream));
    let isReached = true;
    for (const bases of [inTime.sort(byTime), before.sort(byRevision)]) {
      const reaching = bases.find((one) => this.#reaches(one, first, stream));
      isReached &&= reaching !== undefined;
      const base = reaching ?? bases[0];
      if (base === undefined) continue;
      needed.add(base.name);
      for (const { name } of this.#overlapping(base.revision + 1, first - 1)) needed.add(name.text);
    }
    return isReached;
  }

  /**
   * The streams that go on from the raw snapshot of a backup or stream, up to the next one, whose name is `end`: without it
   * they would go on up to the one after that.
   */
  streamsAfter(name: string): { readonly streams: readonly S[]; readonly end: string | undefined } {
    const found = new Set<S>();
    let end: string | undefined;
    for (const base of this.#bases.filter((one) => one.name === name)) {
      const [next] = this.#bases
        .filter(({ revision, time }) => revision > base.revision && time >= base.time)
        .sort((a, b) => a.revision - b.revision || a.time - b.time);
      const upTo = next?.revision ?? Number.POSITIVE_INFINITY;
      for (const one of this.#overlapping(base.revision + 1, upTo)) {
        if (endOf(one) >= base.time) found.add(one);
      }
      end = next?.name;
    }
    // Without streams in between there is nothing to end.
    return { streams: [...found], end: found.size === 0 ? undefined : end };
  }

  /** Whether the streams that ended after a base was begun have all revisions from it up to `first`. */
  #reaches({ revision, time }: Base, first: number, stream: S): boolean {
    const runs = this.#overlapping(revision + 1, first - 1)
      .filter((one) => one === stream || endOf(one) >= time)
      .flatMap((one) => one.runs)
      .sort((a, b) => a.first - b.first);
    let end = revision;
    for (const run of runs) {
      if (run.first > end + 1) break;
      end = Math.max(end, run.last);
    }
    return end >= first - 1;
  }

  #overlapping(first: number, last: number): S[] {
    if (first > last) return [];
    return this.#streams.filter(
      (one) =>
        one.first !== undefined && one.last !== undefined && one.first <= last && one.last >= first,
    );
  }
}

/** When the last revision of a stream was seen, or when it was started, seconds since 1970. */
export function endOf({ name, lastSeen }: Pick<NeedyStream, "name" | "lastSeen">): number {
  return Math.max(name.time, lastSeen ?? 0);
}

function baseOfSnapshot({ name, state, facts }: NeededSnapshot): Base[] {
  const revision = facts?.etcdSnapshot;
  if (state !== "complete" || revision === undefined) return [];
  return [{ name: name.text, revision, time: name.time }];
}

function baseOfStream({ name, base }: NeedyStream): Base[] {
  if (base?.state !== "complete") return [];
  return [{ name: name.text, revision: base.revision, time: name.time }];
}

/** The newest first. */
function byTime(a: Base, b: Base): number {
  return b.time - a.time || b.revision - a.revision;
}

function byRevision(a: Base, b: Base): number {
  return b.revision - a.revision || b.time - a.time;
}
