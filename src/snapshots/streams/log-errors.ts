import { BackupToolError, type ErrorDetails } from "../../errors.js";

/** Why the log of etcd's changes cannot be read on. */
export type LogErrorCode =
  /** No delta holds the next revision. */
  | "LOG_HOLE"
  /** The changes of a revision are others than those that the next delta follows: etcd was restored to another past. */
  | "LOG_FORK"
  /** Nothing shows that the next delta follows what was read. */
  | "LOG_UNPROVEN";

/** The log of etcd's changes ends, or does not fit together. */
export class LogError extends BackupToolError {
  declare readonly code: LogErrorCode;
  /** The first revision that could not be read. */
  readonly revision: number;

  constructor(code: LogErrorCode, revision: number, message: string, details: ErrorDetails = {}) {
    super(code, message, details);
    this.revision = revision;
  }
}
