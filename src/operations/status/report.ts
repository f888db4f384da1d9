import type { DeltaStatus } from "./delta-status.js";
import type { SiteAlert } from "./site-alerts.js";
import type { SiteStatus } from "./site-status.js";

export const STORE_SITES = ["primary", "secondary"] as const;

/** A condition that holds. Of a server, it may be about a job too. */
export interface ReportedAlert extends Pick<SiteAlert, "key" | "message" | "since"> {
  readonly name: string;
  readonly site?: string | undefined;
}

/** What the stores, or a server, say of the backups. Times are RFC 3339. */
export interface StatusReport {
  readonly version: string;
  readonly now: string;
  readonly sites: Partial<Readonly<Record<(typeof STORE_SITES)[number], SiteStatus>>>;
  readonly alerts: readonly ReportedAlert[];
  /** Of a server. */
  readonly leader?: {
    readonly election: boolean;
    readonly isLeader: boolean;
    readonly current?: { readonly identity: string; readonly url?: string | undefined } | undefined;
  };
  /** Of a server. */
  readonly deltas?: DeltaStatus | undefined;
  /** With a secondary. */
  readonly sync?:
    | {
        readonly enabled: boolean;
        readonly running: boolean;
        /** Undefined while it is not known. */
        readonly lag?: StatusLag | undefined;
      }
    | undefined;
}

export interface StatusLag {
  readonly snapshots: number;
  /** Deltas of etcd; absent in the report of an earlier version. */
  readonly deltas?: number | undefined;
  readonly bytes: number;
  /** Age of the oldest snapshot or delta that the secondary lacks. */
  readonly seconds: number;
}

export type Judgement = "good" | "alert" | "unknown";

/** Unknown: a store could not be listed, or the server follows another one; and nothing else is wrong. */
export function judge(report: StatusReport): Judgement {
  const { sites, alerts } = report;
  if (alerts.length > 0) return "alert";
  if (isFollower(report)) return "unknown";
  const known = Object.values(sites);
  return known.length > 0 && known.every(({ reachable }) => reachable) ? "good" : "unknown";
}

/** Whether the report is of a server that does not lead: only the leader knows of failed backups, and alerts. */
export function isFollower({ leader }: StatusReport): boolean {
  return leader?.election === true && !leader.isLeader;
}
