import type { StoredStream } from "../streams/stored-stream.js";

/** What the rules see of a stream of deltas. */
export interface StreamCandidate
  extends Pick<
    StoredStream,
    "name" | "base" | "runs" | "first" | "last" | "lastSeen" | "problem" | "foreign"
  > {
  /** Whether there is a hold on this name. */
  readonly held: boolean;
  /** Whether a process writes it, or needs it. */
  readonly pinned: boolean;
  readonly lockedUntil?: Date | undefined;
}
