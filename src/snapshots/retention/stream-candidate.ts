import type { StoredStream } from "../streams/stored-stream.js";

/** What the rules see of a stream of deltas. */
export interface StreamCandidate
  extends Pick<
    StoredStream,
    "name" | "base" | "runs" | "first" | "last" | "lastSeen" | "problem" | "foreign"
  > {
  readonly deltas: DeltaTimes;
  /** Whether there is a hold on this name. */
  readonly held: boolean;
  /** Whether a process writes it, or needs it. */
  readonly pinned: boolean;
  readonly lockedUntil?: Date | undefined;
}

/** When the last revisions of deltas were seen, seconds since 1970. */
export interface DeltaTimes extends Iterable<{ readonly time: number }> {
  readonly length: number;
}
