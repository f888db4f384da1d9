/** Why a snapshot is kept, or not. */
export interface Reason {
  readonly code: ReasonCode;
  readonly words: string;
}

export type ReasonCode =
  // Rules of the policies.
  | "last-hour"
  | "hourly"
  | "daily"
  | "weekly"
  | "monthly"
  | "yearly"
  | "last"
  | "within"
  | "oldest"
  | "newest-full"
  | "incremental-of"
  | "recent-incremental"
  | "recent-deltas"
  // What no policy deletes.
  | "newest-chain"
  | "newest-stream"
  | "base-of"
  | "delta-base"
  | "may-be-base"
  | "same-backup"
  | "held"
  | "pinned"
  | "locked"
  | "future"
  | "unfinished"
  | "damaged"
  | "base-missing"
  | "foreign"
  /** The only reason to delete. */
  | "no-rule";

export const NO_RULE: Reason = { code: "no-rule", words: "no rule keeps it" };
