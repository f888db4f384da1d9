import { errorMessage } from "../../errors.js";
import type { StoredHistoryBase } from "./stored-history.js";

/** Why a base cannot be used. */
export class BaseFault extends Error {
  readonly base: StoredHistoryBase;
  override readonly cause: unknown;

  constructor(base: StoredHistoryBase, cause: unknown) {
    super(`the raw snapshot in ${base.files.where} is left out: ${errorMessage(cause)}`);
    this.base = base;
    this.cause = cause;
  }
}

/** Why the log cannot be read from a revision on. */
export class LogFault extends Error {
  readonly revision: number;
  override readonly cause: unknown;

  constructor(revision: number, cause: unknown) {
    super(`the deltas cannot be read from revision ${revision} on: ${errorMessage(cause)}`);
    this.revision = revision;
    this.cause = cause;
  }
}
