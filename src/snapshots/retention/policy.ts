import type { CalendarSpan } from "./calendar-span.js";

/** Which restorable snapshots of a store are kept. docs/snapstores.md has the rules in words, with examples. */
export type RetentionPolicy = ExponentialPolicy | LimitBasedPolicy | KeepPolicy;

/** Fewer full backups the older they are, as garbage collection of etcd-backup-restore. */
export interface ExponentialPolicy {
  readonly kind: "exponential";
  /** Age up to which incrementals over older full backups are kept, ms. */
  readonly incrementalsMs: number;
}

/** The newest full backups, each with its incrementals. */
export interface LimitBasedPolicy {
  readonly kind: "limit-based";
  readonly maxBackups: number;
}

/** One snapshot for each of the last hours, days, weeks, months and years, as `restic forget`. */
export interface KeepPolicy extends KeepCounts {
  readonly kind: "keep";
  /** All snapshots that were made within this time before the newest. */
  readonly within?: CalendarSpan | undefined;
}

/** Each 0 for none, Infinity for no limit. */
export interface KeepCounts {
  readonly last: number;
  readonly hourly: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly yearly: number;
}
