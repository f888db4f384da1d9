import type { SnapshotFacts, StoredSnapshot } from "../catalog.js";
import type { SnapshotName } from "../name.js";
import type { Reason } from "./reason.js";

/** What the rules see of a snapshot. */
export interface Candidate {
  readonly name: SnapshotName;
  readonly state: StoredSnapshot["state"];
  readonly facts?: Pick<SnapshotFacts, "id" | "base" | "etcdSnapshot"> | undefined;
  /** Key of another program's file in its folder. */
  readonly foreign?: string | undefined;
  /** Whether there is a hold on this name. */
  readonly held: boolean;
  /** Whether a backup that is being made is based on it, or a copy is writing it. */
  readonly pinned: boolean;
  /** Why it is kept for the sake of etcd's deltas. */
  readonly forDeltas?: Reason | undefined;
  readonly lockedUntil?: Date | undefined;
  /** Whether it is unfinished and so recent that a run may still be writing it. */
  readonly inProgress: boolean;
}
