import { BackupToolError } from "../../errors.js";

/** The log of deltas cannot go on where it ended: another stream with a base has to begin. */
export class LogBroken extends BackupToolError {
  /** Why, as a part of a sentence. */
  readonly reason: string;

  constructor(reason: string) {
    super("ETCD_LOG_BROKEN", `the log of etcd cannot go on: ${reason}`);
    this.reason = reason;
  }
}
