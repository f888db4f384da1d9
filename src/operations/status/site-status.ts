import type { BackupKind } from "../../archive/manifest/manifest.js";

/** A snapshot on the timeline of a store. */
export interface TimelineEntry {
  readonly name: string;
  readonly kind: BackupKind;
  /** Start of the backup, RFC 3339. */
  readonly time: string;
  readonly state: "complete" | "unfinished" | "damaged";
  /** Name of the base of an incremental, or `missing` where the store does not have it. */
  readonly base?: string | undefined;
  /** Of its files, as they are stored. */
  readonly bytes: number;
  /** Whether a hold keeps it. */
  readonly held: boolean;
}

/** The newest snapshot that is complete and whose bases are all complete. */
export interface NewestRestorable {
  readonly snapshot: string;
  /** Start of the backup, RFC 3339. */
  readonly time: string;
  readonly ageSeconds: number;
}

/** What reading back the data of a store has found. */
export interface VerificationStatus {
  /** End of the last run, RFC 3339. */
  readonly lastAt?: string | undefined;
  /** Share of the stored bytes that were read back, 0 to 100. */
  readonly coveredPercent?: number | undefined;
  readonly damagedFiles: number;
}

/** State of one of the two stores. All of it is plain JSON; times are RFC 3339. */
export interface SiteStatus {
  /** The store in messages, such as `s3://bucket/prefix`. */
  readonly store: string;
  /** Open: calls are not tried for now, after failures. Half-open: one call tries the store. */
  readonly breaker: "closed" | "open" | "half-open";
  /** Whether the last listing succeeded. */
  readonly reachable: boolean;
  /** Why it is not reachable. */
  readonly error?: string | undefined;
  /** Time of the listing that the rest is from. */
  readonly checkedAt?: string | undefined;
  readonly newestRestorable?: NewestRestorable | undefined;
  /** Name of the newest complete full snapshot. */
  readonly newestFull?: string | undefined;
  readonly snapshots: {
    readonly complete: number;
    readonly unfinished: number;
    readonly damaged: number;
    readonly held: number;
  };
  /** Of all snapshots. */
  readonly bytes: number;
  /** The newest 200 snapshots, newest first. */
  readonly timeline: readonly TimelineEntry[];
  readonly verification?: VerificationStatus | undefined;
}

/** Length of {@link SiteStatus.timeline}. */
export const TIMELINE_LENGTH = 200;
