import type { ContentsVisitor } from "../archive/contents.js";
import type { OperationContext } from "./context.js";
import type { FinalState } from "./restore-chain.js";

/** What a restore reads. */
export interface RestorePlan {
  /** Names of the pools in the backups. */
  readonly pools: readonly string[];
  /** The backups, the oldest first. */
  readonly steps: readonly RestoreStep[];
  /** What the backups are known to lack, for the user. */
  readonly gaps: readonly string[];
  /** What the user should know before it is written; the restore is complete all the same. */
  readonly warnings: readonly string[];
  /** Objects and records that will come, for progress: as far as they are known. */
  items(wanted: { etcd: boolean; ceph: boolean }): number;
  /** Where the last state of each object is, when the backups know it. */
  finalState(signal: AbortSignal): Promise<FinalState | undefined>;
  /** Says what reading has shown to be wrong, once all was read; returns whether all came. */
  reportFindings?(report: OperationContext["report"]): Promise<boolean>;
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
