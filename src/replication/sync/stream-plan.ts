import type { StoredStream } from "../../snapshots/streams/stored-stream.js";
import { isNothing, lackOf, type StreamLack } from "../../snapshots/streams/stream-difference.js";
import { compareStreamNames } from "../../snapshots/streams/stream-name.js";

/** A stream of the source, and what the target lacks of it. */
export interface StreamToCopy {
  readonly stream: StoredStream;
  readonly lack: StreamLack;
}

interface StreamPlan {
  /** Newest first. */
  readonly copy: readonly StreamToCopy[];
  /** The streams of the target once they have been copied there, oldest first. */
  readonly after: readonly StoredStream[];
}

/** Compares the streams of two stores by the names and sizes of their deltas, and by the manifests of their bases. */
export function planStreams(
  streams:
    | { readonly source: readonly StoredStream[]; readonly target: readonly StoredStream[] }
    | undefined,
): StreamPlan {
  const { source, target } = streams ?? { source: [], target: [] };
  const there = new Map(target.map((one) => [one.name.text, one]));
  const names = new Set(source.map(({ name }) => name.text));
  const others = target.filter(({ name }) => !names.has(name.text));
  const copy = source
    .map((stream) => ({ stream, lack: lackOf(stream, there.get(stream.name.text)) }))
    .filter(({ lack }) => !isNothing(lack))
    .sort((a, b) => compareStreamNames(b.stream.name, a.stream.name));
  return { copy, after: [...others, ...source].sort((a, b) => compareStreamNames(a.name, b.name)) };
}
