import type { ListedDelta } from "./delta-table.js";
import type { StoredStream } from "./stored-stream.js";
import { deltaName } from "./delta-name.js";

/** A delta that a store lacks, or that another one is in the place of. */
export interface DeltaDifference {
  readonly delta: ListedDelta;
  /** The name of the other file of this number, or why the one of this name is another. */
  readonly conflict?: string;
}

/**
 * The deltas of a stream that the target does not have, oldest first. Of one number a stream has one delta, which never
 * changes: what differs in name or size is a conflict.
 */
export function* differences(
  source: Pick<StoredStream, "deltas">,
  target: Pick<StoredStream, "deltas"> | undefined,
): Generator<DeltaDifference, void, void> {
  const there = target?.deltas;
  let at = 0;
  for (const delta of source.deltas) {
    while (there !== undefined && at < there.length && there.at(at).number < delta.number) at++;
    const other = there !== undefined && at < there.length ? there.at(at) : undefined;
    if (other?.number !== delta.number) yield { delta };
    else if (deltaName(other) !== deltaName(delta)) yield { delta, conflict: deltaName(other) };
    else if (other.bytes !== delta.bytes) {
      yield { delta, conflict: `it has ${other.bytes} bytes, not ${delta.bytes}` };
    }
  }
}

/** What a target lacks of a stream. */
export interface StreamLack {
  readonly deltas: number;
  readonly bytes: number;
  /** When the oldest revision that is missing may have been seen, seconds since 1970; undefined without one. */
  readonly since: number | undefined;
  /** Whether the base in the stream's folder is missing, or not whole. */
  readonly base: boolean;
  /** Deltas that the target has others in the place of, or another base. */
  readonly conflicts: number;
}

export function lackOf(source: StoredStream, target: StoredStream | undefined): StreamLack {
  let deltas = 0;
  let bytes = 0;
  let conflicts = 0;
  let since: number | undefined;
  for (const { delta, conflict } of differences(source, target)) {
    if (conflict !== undefined) {
      conflicts++;
      continue;
    }
    deltas++;
    bytes += delta.bytes;
    since ??= delta.time;
  }
  const own = source.base?.state === "complete" ? source.base.facts : undefined;
  const other = target?.base;
  if (own === undefined || (other?.state === "complete" && other.facts?.digest === own.digest)) {
    return { deltas, bytes, since, base: false, conflicts };
  }
  if (other?.facts !== undefined && other.facts.digest !== own.digest) {
    return { deltas, bytes, since, base: false, conflicts: conflicts + 1 };
  }
  const finished = Math.floor(Date.parse(own.finishedAt) / 1000);
  since = Math.min(since ?? finished, finished);
  return { deltas, bytes: bytes + own.bytes, since, base: true, conflicts };
}

/** Whether a sync has nothing to do for the stream. */
export function isNothing({ deltas, base, conflicts }: StreamLack): boolean {
  return deltas === 0 && !base && conflicts === 0;
}
