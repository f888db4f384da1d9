import {
  deltaWith,
  type LogDelta,
  type PlannedStream,
} from "../../operations/history/plan/log-line.js";
import { begunAt } from "../../snapshots/begun-at.js";
import type { ListedDelta } from "../../snapshots/streams/delta-table.js";
import type { StoredStream } from "../../snapshots/streams/stored-stream.js";
import type { StreamName } from "../../snapshots/streams/stream-name.js";
import { RevisionRanges } from "./revision-ranges.js";

/** A stream, with what any copy of it holds. */
export interface MergedStream extends PlannedStream {
  readonly name: StreamName;
  readonly hasBase: boolean;
  /** Whether it has a base of etcd. One that `compact` has merged is of the log that was there before. */
  readonly beginsLog: boolean;
  /** The delta that has a revision, in any copy. */
  deltaOf(revision: number): LogDelta | undefined;
}

/** One of each name. */
export function mergedStreams(streams: readonly StoredStream[]): MergedStream[] {
  const copies = new Map<string, StoredStream[]>();
  for (const stream of streams) {
    const others = copies.get(stream.name.text);
    if (others === undefined) copies.set(stream.name.text, [stream]);
    else others.push(stream);
  }
  return [...copies.values()].flatMap((all) => {
    const [one] = all;
    return one === undefined ? [] : [mergedStream(one.name, all)];
  });
}

function mergedStream(name: StreamName, copies: readonly StoredStream[]): MergedStream {
  const ranges = new RevisionRanges(copies.flatMap(({ runs }) => runs));
  const firsts = copies.flatMap(({ deltas }) => (deltas.length === 0 ? [] : [deltas.at(0)]));
  const first = firsts.reduce<ListedDelta | undefined>(
    (found, delta) => (found === undefined || delta.number < found.number ? delta : found),
    undefined,
  );
  const based = copies.filter(({ base }) => base?.state === "complete");
  return {
    name,
    hasBase: based.length > 0,
    beginsLog: based.some((copy) => baseBegunMs(copy) >= 1000 * name.time),
    runs: [...ranges].map((range) => ({ ...range, at: 0, count: 1 })),
    // The lines of the log ask when the first one was.
    deltas: {
      at: () => first ?? { first: name.firstRevision, last: name.firstRevision, time: name.time },
    },
    deltaOf: (revision) => {
      const copy = copies.find(({ runs }) =>
        runs.some(({ first: from, last }) => from <= revision && revision <= last),
      );
      return copy && deltaWith(copy, revision);
    },
  };
}

/** When the base of a stream was begun, ms since 1970: before its stream, if it was merged of deltas. */
export function baseBegunMs({ name, base }: Pick<StoredStream, "name" | "base">): number {
  return begunAt(base?.facts?.startedAt ?? "", name.time);
}
