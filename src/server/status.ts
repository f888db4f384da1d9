import type { SnapshotRow } from "../operations/snapshots/events.js";
import type { DeltaStatus } from "../operations/status/delta-status.js";
import type { SiteStatus } from "../operations/status/site-status.js";

export const SITES = ["primary", "secondary"] as const;
export type Site = (typeof SITES)[number];

export const JOB_NAMES = ["full", "incremental", "sync", "retention", "verify"] as const;
export type JobName = (typeof JOB_NAMES)[number];

export const ALERT_NAMES = [
  "backup-failed",
  "backup-too-old",
  "sync-lag",
  "delta-lag",
  "delta-unproven",
  "verification-failed",
  "breaker-open",
  "no-leader",
  "mirror-refused",
  "retention-failed",
] as const;
export type AlertName = (typeof ALERT_NAMES)[number];

/** Something that failed, in words that name no secret. */
export interface Failure {
  /** RFC 3339. */
  readonly at: string;
  readonly job: JobName | "deltas" | "server";
  readonly site?: Site | undefined;
  /** Stable code of a BackupToolError, or `OTHER`. */
  readonly code: string;
  readonly message: string;
}

/** A condition that holds now and was alerted. */
export interface ActiveAlert {
  readonly key: string;
  readonly name: AlertName;
  readonly site?: Site | undefined;
  readonly message: string;
  /** RFC 3339. */
  readonly since: string;
}

export interface JobProgress {
  /** What the job does now, such as `copying`. */
  readonly phase: string;
  readonly done: number;
  readonly total?: number | undefined;
  readonly unit: "objects" | "records" | "items" | "bytes" | "snapshots";
  readonly bytes?: number | undefined;
}

export interface JobSuccess {
  /** End of the run, RFC 3339. */
  readonly at: string;
  readonly durationSeconds: number;
  readonly snapshot?: string | undefined;
  readonly bytes?: number | undefined;
  readonly objects?: number | undefined;
  readonly records?: number | undefined;
}

export interface JobStatus {
  /** Waiting: due, but another job or a store has to be ready first. Retrying: the next attempt is at `nextAt`. */
  readonly state: "idle" | "waiting" | "running" | "retrying";
  /** RFC 3339. */
  readonly nextAt?: string | undefined;
  /** Start of the run in progress, RFC 3339. */
  readonly startedAt?: string | undefined;
  readonly progress?: JobProgress | undefined;
  readonly lastSuccess?: JobSuccess | undefined;
  readonly lastFailure?: Failure | undefined;
  readonly failuresInARow: number;
}

/** What the secondary lacks of the snapshots that it should have. */
export interface SyncLag {
  readonly snapshots: number;
  /** Deltas of etcd; absent in the status of an earlier version. */
  readonly deltas?: number | undefined;
  readonly bytes: number;
  /** Age of the oldest one that it lacks. */
  readonly seconds: number;
}

export interface SyncStatus {
  readonly enabled: boolean;
  readonly running: boolean;
  /** Undefined until the primary was listed. */
  readonly lag?: SyncLag | undefined;
  /** Why the last sync that ended deleted nothing from a mirror; undefined where it deletes. */
  readonly refusal?: string | undefined;
  /** RFC 3339. */
  readonly lastSuccess?: string | undefined;
  readonly lastFailure?: Failure | undefined;
  /** RFC 3339. */
  readonly nextAt?: string | undefined;
}

export interface LeaderStatus {
  /** False: this server is alone and acts always. */
  readonly election: boolean;
  readonly isLeader: boolean;
  /** Of this server. */
  readonly identity?: string | undefined;
  /** The leader, as far as this server knows it. */
  readonly current?:
    | {
        readonly identity: string;
        /** Of its HTTP server. */
        readonly url?: string | undefined;
      }
    | undefined;
}

/** State of a server, or of the stores without one. Plain JSON, times RFC 3339, no secrets. */
export interface ServerStatus {
  readonly version: string;
  readonly now: string;
  /** Absent without a server. */
  readonly startedAt?: string | undefined;
  readonly leader: LeaderStatus;
  /** Without `secondary` there is one store. */
  readonly sites: Partial<Readonly<Record<Site, SiteStatus>>>;
  readonly sync?: SyncStatus | undefined;
  readonly deltas: DeltaStatus;
  readonly jobs: Readonly<Record<JobName, JobStatus>>;
  /** The last 20, newest first. */
  readonly failures: readonly Failure[];
  readonly alerts: readonly ActiveAlert[];
}

/** A stream of deltas of etcd in a store. */
export interface StreamRow {
  readonly name: string;
  readonly deltas: number;
  readonly bytes: number;
  /** Revisions of etcd; absent without deltas. */
  readonly first?: number | undefined;
  readonly last?: number | undefined;
  /** When its last change was seen, RFC 3339; absent without deltas. */
  readonly lastSeen?: string | undefined;
  /** Whether it begins with a raw snapshot of its own. */
  readonly hasBase: boolean;
}

/** What the HTTP server reads. */
export interface ServerState {
  status(): ServerStatus;
  /** All snapshots of a store, oldest first, with their state there as `primary`; empty for a site that there is not. */
  snapshots(site: Site): readonly SnapshotRow[];
  /** The streams of deltas of etcd in a store, by their start. */
  streams(site: Site): readonly StreamRow[];
  /** The configuration as plain JSON, without secrets. */
  config(): unknown;
  /**
   * Calls the listener after each change of the status, which may be often; returns a function that ends this.
   */
  onChange(listener: () => void): () => void;
}

/** Whether a job was begun, or why not. */
export type TriggerResult =
  | { readonly accepted: true }
  | {
      readonly accepted: false;
      readonly reason: "running" | "not-leader" | "stopping" | "disabled" | "unavailable";
      /** In words. */
      readonly message?: string | undefined;
    };

/** What the HTTP server can begin. */
export interface ServerActions {
  /** Returns once the job is begun or queued, not when it ends. */
  trigger(job: JobName): Promise<TriggerResult>;
  /** Stores the changes of etcd that were read so far, without waiting for their time. */
  flushDeltas(): TriggerResult;
}
