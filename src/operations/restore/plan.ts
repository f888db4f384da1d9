import type { ArchiveItems } from "../../archive/contents.js";
import type { OperationContext } from "../context.js";
import type { OperationEvent } from "../events.js";
import type { FinalState } from "./final-state.js";
import type { MissingBase } from "./missing-base.js";
import type { RestoreTarget } from "./target.js";

/** The backups of a restore, and how to read them. */
export interface RestorePlan {
  /** Event about the newest backup; undefined for archives of the original tool. */
  readonly opened?: OperationEvent | undefined;
  /** Names of the pools in the backups. */
  readonly pools: readonly string[];
  /** The backups, the oldest first. */
  readonly steps: readonly RestoreStep[];
  /** Descriptions of what the backups are known to lack. */
  readonly gaps: readonly string[];
  /** Whether the backups are on this machine. */
  readonly local: boolean;
  /** Number of objects and records to restore, as far as it is known; for progress. */
  count(wanted: { etcd: boolean; ceph: boolean }): number;
  /** Reads and checks every byte of all backups. Throws ArchiveError. */
  check(context: OperationContext): Promise<void>;
  /**
   * Reads each index once before anything is written; they are small beside the archives. `checked` is whether
   * {@link check} has read them. Throws ArchiveError.
   */
  readIndexes?(
    target: RestoreTarget,
    options: { readonly checked: boolean; readonly signal: AbortSignal },
  ): Promise<IndexFindings>;
  /** Reports faults that reading has shown, at the end; returns whether the backups are complete. */
  reportFindings?(report: OperationContext["report"]): Promise<boolean>;
  close(): Promise<void>;
}

/** Facts from the indexes of a chain. */
export interface IndexFindings {
  /** The place of the last state of each object; undefined when each object comes once. */
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
  /** Whether its records are part of the last state of etcd. */
  readonly withEtcd: boolean;
  /** The items of the ARCHIVE file `number`; the files are read in order. Throws ArchiveError. */
  items(number: number, signal: AbortSignal): AsyncIterable<ArchiveItems>;
}
