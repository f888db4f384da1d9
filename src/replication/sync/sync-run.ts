import type { BackupToolError } from "../../errors.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import type { Removed } from "../../snapshots/delete.js";
import type { SnapshotName } from "../../snapshots/name.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { PlannedCopySettings } from "../copy/planned.js";
import type { CopyResult } from "../copy/snapshot.js";
import type { SyncLag } from "./lag.js";
import type { PlannedDeletion } from "./mirror.js";
import type { MirrorPlan, MirrorRefusal, MirrorRules } from "./mirror-plan.js";
import type { SyncSide } from "./sync-error.js";
import type { SyncPlan, SyncState } from "./sync-plan.js";

/** A store and its snapshots; both retry their calls. */
export interface SyncSite {
  readonly store: SnapStore;
  readonly catalog: { list(signal: AbortSignal): Promise<readonly StoredSnapshot[]> };
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
  onCopied(snapshot: string, result: CopyResult): void;
  /** A snapshot that the target lacks, or has without its base. `side`: the store whose call failed. */
  onNotCopied(snapshot: string, error: BackupToolError, side: SyncSide | undefined): void;
  /** Nothing is deleted, for this reason. */
  onRefused(refusal: MirrorRefusal, plan: MirrorPlan): void;
  onDeleted(name: SnapshotName, removed: Removed): void;
  /** Without a name no further snapshot is deleted. */
  onNotDeleted(name: SnapshotName | undefined, error: BackupToolError): void;
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
  /** What the target lacks now. */
  readonly lag: SyncLag;
}
