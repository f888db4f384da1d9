import type { ArchiveItems } from "../../archive/contents.js";
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
  /** Whether the backups are on this machine. */
  readonly local: boolean;
  /** Objects and records that will come, for progress: as far as they are known. */
  count(wanted: { etcd: boolean; ceph: boolean }): number;
  /** Reads and checks every byte of all backups, and writes nothing. Throws ArchiveError. */
  check(context: OperationContext): Promise<void>;
  /**
   * Reads each index once before anything is written: they are small beside the archives. `checked` tells that
   * {@link check} has found them sound. Throws ArchiveError.
   */
  readIndexes?(
    target: RestoreTarget,
    options: { readonly checked: boolean; readonly signal: AbortSignal },
  ): Promise<IndexFindings>;
  /** Reports what reading has shown to be wrong, once all was read; returns whether all came. */
  reportFindings?(report: OperationContext["report"]): Promise<boolean>;
  close(): Promise<void>;
}

/** What the indexes of a chain say. */
export interface IndexFindings {
  /** Where the last state of each object is; undefined where every object comes once. */
  readonly final?: FinalState;
  readonly missingBase?: MissingBase | undefined;
}

/** One backup of a {@link RestorePlan}. */
export interface RestoreStep {
  /** 0 is the newest. */
  readonly ordinal: number;
  readonly archives: number;
  /** Whether it is based on the one before. */
  readonly incremental: boolean;
  /** Whether its records are part of what etcd held last. */
  readonly withEtcd: boolean;
  /** What the ARCHIVE file `number` holds; the files are read in their order. Throws ArchiveError. */
  items(number: number, signal: AbortSignal): AsyncIterable<ArchiveItems>;
}
