import type { ContentsVisitor } from "../../archive/contents.js";
import type { OperationContext } from "../context.js";
import type { OperationEvent } from "../events.js";
import type { FinalState } from "./final-state.js";
import type { MissingBase } from "./missing-base.js";
import type { RestoreTarget } from "./target.js";

/** What a restore reads. */
export interface RestorePlan {
  /** The newest of the backups; archives of the original tool do not say what they are. */
  readonly opened?: OperationEvent | undefined;
  /** Names of the pools in the backups. */
  readonly pools: readonly string[];
  /** The backups, the oldest first. */
  readonly steps: readonly RestoreStep[];
  /** What the backups are known to lack, for the user. */
  readonly gaps: readonly string[];
  /** Objects and records that will come, for progress: as far as they are known. */
  items(wanted: { etcd: boolean; ceph: boolean }): number;
  /** Where the last state of each object is, when the backups know it. */
  finalState(signal: AbortSignal): Promise<FinalState | undefined>;
  /** Says what reading has shown to be wrong, once all was read; returns whether all came. */
  reportFindings?(report: OperationContext["report"]): Promise<boolean>;
  /** Whether the backups are on this machine. */
  readonly local: boolean;
  /** Reads and checks every byte of all backups, and writes nothing. Throws ArchiveError. */
  check(context: OperationContext): Promise<void>;
  /** Reads and checks the indexes alone, which are small beside the archives. Throws ArchiveError. */
  checkIndexes?(signal: AbortSignal): Promise<void>;
  /** Says what the target should hold already, and does not; see {@link missingBase}. */
  missingBase?(target: RestoreTarget, signal: AbortSignal): Promise<MissingBase | undefined>;
  close(): Promise<void>;
}

/** One backup of a {@link RestorePlan}. */
export interface RestoreStep {
  /** 0 is the newest. */
  readonly ordinal: number;
  readonly archives: number;
  /** Whether it stands on the one before. */
  readonly incremental: boolean;
  /** Whether its records are part of what etcd held last. */
  readonly withEtcd: boolean;
  visit(number: number, visitor: ContentsVisitor, signal: AbortSignal): Promise<void>;
}
