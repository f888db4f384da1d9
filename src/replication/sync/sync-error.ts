import { BackupToolError } from "../../errors.js";
import type { SyncLag } from "./lag.js";

/** Which of its two stores ended a sync. */
export type SyncSide = "source" | "target";

/** A store failed, so that a sync could not go on. It has the code and the words of the failed call. */
export class SyncError extends BackupToolError {
  readonly side: SyncSide;
  /** `SnapStore.name` of the store. */
  readonly store: string;
  /** What the target lacks, if that is known. */
  readonly lag: SyncLag | undefined;

  constructor(side: SyncSide, store: string, cause: BackupToolError, lag?: SyncLag) {
    super(cause.code, cause.message, { cause, advice: cause.advice });
    this.side = side;
    this.store = store;
    this.lag = lag;
  }

  withLag(lag: SyncLag): SyncError {
    return new SyncError(this.side, this.store, this, lag);
  }
}
