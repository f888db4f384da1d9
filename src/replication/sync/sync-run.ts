import type { BackupToolError } from "../../errors.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import type { Removed } from "../../snapshots/delete.js";
import type { StoreContents } from "../../snapshots/list-store.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { PlannedCopySettings } from "../copy/planned.js";
import type { CopyResult } from "../copy/snapshot.js";
import type { SyncLag } from "./lag.js";
import type { PlannedDeletion } from "./mirror.js";
import type { MirrorPlan, MirrorRefusal, MirrorRules } from "./mirror-plan.js";
import type { SyncSide } from "./sync-error.js";
import type { SyncPlan, SyncState } from "./sync-plan.js";

/** A store and what it holds; both retry their calls. */
export interface SyncSite {
  readonly store: SnapStore;
  readonly catalog: { listAll(signal: AbortSignal): Promise<StoreContents> };
}

export interface SyncSettings extends Omit<PlannedCopySettings, "keepOthers" | "keepBase"> {
  readonly wanted?: SyncState["wanted"];
  /** Names of snapshots of the target that must not be deleted. */
  readonly held: (signal: AbortSignal) => Promise<ReadonlySet<string>>;
  /**
   * Keeps a snapshot of the target while `copy` copies an incremental over it: the retention of the target may run at
   * the same time. `copy` calls its argument right before the manifest.
   */
  readonly keepBase: (
    target: SnapStore,
    base: string,
    copy: (beforeManifest: () => Promise<void>) => Promise<CopyResult>,
  ) => Promise<CopyResult>;
  /** What is gone from the source goes from the target. By default nothing is deleted. */
  readonly mirror?: { readonly rules: MirrorRules; readonly remove: PlannedDeletion } | undefined;
}

export interface SyncReports {
  /** Called with the snapshots of both stores. */
  onListed(source: readonly StoredSnapshot[], target: readonly StoredSnapshot[]): Promise<void>;
  onPlanned(plan: SyncPlan, mirror: MirrorPlan | undefined, lag: SyncLag): void;
  onBegin(snapshot: StoredSnapshot): void;
  onProgress(done: number, total: number): void;
  /** A snapshot, or what was missing of a stream. */
  onCopied(snapshot: string, result: CopyResult): void;
  /** A snapshot or stream that the target lacks, or has without its base. `side`: the store whose call failed. */
  onNotCopied(snapshot: string, error: BackupToolError, side: SyncSide | undefined): void;
  /** Nothing is deleted of these snapshots: `due` of the `complete` ones that the target has, or had then. */
  onRefused(
    refusal: MirrorRefusal,
    counts: { readonly due: number; readonly complete: number },
  ): void;
  onDeleted(name: { readonly text: string }, removed: Removed): void;
  /** Without a name no further snapshot is deleted. */
  onNotDeleted(name: { readonly text: string } | undefined, error: BackupToolError): void;
}

export interface SyncTotals {
  readonly copied: number;
  readonly repaired: number;
  readonly present: number;
  /** Could not be copied. */
  readonly failed: number;
  /** Not copied because the target has another backup of the name, or of that of a base. */
  readonly conflicts: number;
  readonly deleted: number;
  readonly notDeleted: number;
  /** Why a mirror did not delete what has gone from the source: a person has to look at it. */
  readonly refusal?: MirrorRefusal | undefined;
  /** What the target lacks now. */
  readonly lag: SyncLag;
}
