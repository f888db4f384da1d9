import { Gauge, type Registry } from "prom-client";
import { DELTA_STATES, type DeltaStatus } from "../operations/status/delta-status.js";
import { JOB_NAMES, type JobStatus, type ServerStatus, SITES } from "./status.js";
import type { SiteStatus } from "../operations/status/site-status.js";

/** Metrics that say what a {@link ServerStatus} says. What is not known has no sample. */
export class StatusGauges {
  readonly #registry: Registry;
  readonly #gauges = new Map<string, Gauge>();

  constructor(registry: Registry) {
    this.#registry = registry;
    for (const [name, [help, ...labelNames]] of Object.entries(GAUGES)) {
      const gauge = new Gauge({
        name: `backuptool_${name}`,
        help,
        labelNames,
        registers: [this.#registry],
      });
      this.#gauges.set(name, gauge);
    }
  }

  show(status: ServerStatus): void {
    for (const gauge of this.#gauges.values()) {
      gauge.reset();
      // After a reset, a gauge without labels has the sample 0.
      gauge.remove({});
    }
    const { leader, sync, sites, jobs } = status;
    this.#set("leader", flag(leader.isLeader || !leader.election));
    this.#set(
      "leader_known",
      flag(leader.isLeader || !leader.election || leader.current !== undefined),
    );
    if (sync !== undefined) {
      this.#set("sync_lag_snapshots", sync.lag?.snapshots);
      this.#set("sync_lag_deltas", sync.lag?.deltas);
      this.#set("sync_lag_bytes", sync.lag?.bytes);
      this.#set("sync_lag_seconds", sync.lag?.seconds);
      this.#set("sync_last_success_timestamp_seconds", seconds(sync.lastSuccess));
    }
    for (const store of SITES) {
      const site = sites[store];
      if (site !== undefined) this.#showSite(store, site);
    }
    this.#showDeltas(status.deltas);
    for (const job of JOB_NAMES) this.#showJob(job, jobs[job]);
    for (const kind of ["full", "incremental"] as const) this.#showBackups(kind, jobs[kind]);
  }

  #showSite(store: string, site: SiteStatus): void {
    this.#set("store_up", flag(site.reachable), { store });
    this.#set("breaker_open", flag(site.breaker !== "closed"), { store });
    // Before the first listing, zeros would look like an empty store.
    if (site.checkedAt === undefined) return;
    const { newestRestorable: newest, snapshots, verification } = site;
    this.#set("newest_restorable_timestamp_seconds", seconds(newest?.time), { store });
    this.#set("newest_restorable_age_seconds", newest?.ageSeconds, { store });
    for (const state of ["complete", "unfinished", "damaged", "held"] as const) {
      this.#set("snapshots", snapshots[state], { store, state });
    }
    this.#set("snapshot_bytes", site.bytes, { store });
    const verified = seconds(verification?.lastAt);
    this.#set("verification_last_success_timestamp_seconds", verified, { store });
    this.#set("damaged_files", verification?.damagedFiles, { store });
  }

  #showDeltas({
    state,
    etcdRevision,
    readRevision,
    provenRevision,
    proof,
    sites,
  }: DeltaStatus): void {
    for (const one of DELTA_STATES) this.#set("delta_state", flag(one === state), { state: one });
    this.#set("delta_etcd_revision", etcdRevision);
    this.#set("delta_read_revision", readRevision);
    this.#set("delta_proven_revision", provenRevision);
    this.#set("delta_unproven", proof && flag(proof.outcome !== "proven"));
    for (const store of SITES) {
      const site = sites[store];
      if (site === undefined) continue;
      this.#set("delta_durable_revision", site.durableRevision, { store });
      this.#set("delta_missing_revisions", site.missingRevisions, { store });
      this.#set("delta_oldest_age_seconds", site.oldestSeconds, { store });
      this.#set("delta_waiting_bytes", site.waiting.bytes, { store });
    }
  }

  #showJob(job: string, { state, progress, nextAt }: JobStatus): void {
    this.#set("job_running", flag(state === "running"), { task: job });
    this.#set("job_next_timestamp_seconds", seconds(nextAt), { task: job });
    if (state !== "running" || progress?.total === undefined) return;
    const ratio = progress.total === 0 ? 1 : progress.done / progress.total;
    // Objects that appear during a backup can take it over its estimate.
    this.#set("job_progress_ratio", Math.min(1, ratio), { task: job });
  }

  #showBackups(kind: string, { lastSuccess }: JobStatus): void {
    if (lastSuccess === undefined) return;
    this.#set("backup_last_success_timestamp_seconds", seconds(lastSuccess.at), { kind });
    this.#set("backup_last_duration_seconds", lastSuccess.durationSeconds, { kind });
    this.#set("backup_last_bytes", lastSuccess.bytes, { kind });
    this.#set("backup_last_objects", lastSuccess.objects, { kind });
    this.#set("backup_last_records", lastSuccess.records, { kind });
  }

  #set(name: keyof typeof GAUGES, value: number | undefined, labels = {}): void {
    if (value !== undefined) this.#gauges.get(name)?.set(labels, value);
  }
}

/** Names without their prefix: the help, then the labels. */
const GAUGES = {
  backup_last_success_timestamp_seconds: ["End of the last successful backup.", "kind"],
  backup_last_duration_seconds: ["Duration of the last successful backup.", "kind"],
  backup_last_bytes: ["Size of the last successful backup as stored.", "kind"],
  backup_last_objects: ["Ceph objects in the last successful backup.", "kind"],
  backup_last_records: ["Records of etcd in the last successful backup.", "kind"],
  newest_restorable_timestamp_seconds: [
    "Start of the newest backup in the store that is complete with all of its bases.",
    "store",
  ],
  newest_restorable_age_seconds: ["Age of the newest restorable backup in the store.", "store"],
  snapshots: [
    "Snapshots in the store. Those that are held are also counted by their state.",
    "store",
    "state",
  ],
  snapshot_bytes: ["Size of all snapshots in the store.", "store"],
  sync_lag_snapshots: ["Snapshots that the secondary store lacks."],
  sync_lag_deltas: ["Deltas of etcd that the secondary store lacks."],
  sync_lag_bytes: ["Size of the snapshots and deltas that the secondary store lacks."],
  sync_lag_seconds: ["Age of the oldest snapshot or delta that the secondary store lacks."],
  sync_last_success_timestamp_seconds: ["End of the last successful sync."],
  delta_state: ["1 for what the deltas of etcd do now, 0 for all else.", "state"],
  delta_etcd_revision: ["Revision of etcd, by a linearizable read."],
  delta_read_revision: ["The last revision of etcd that was read for deltas."],
  delta_proven_revision: ["Revision up to which a full backup has proved the deltas."],
  delta_unproven: ["1 if the last full backup did not prove the deltas before it."],
  delta_durable_revision: [
    "The newest revision of etcd that can be restored from the store alone.",
    "store",
  ],
  delta_missing_revisions: ["Revisions of etcd after the durable one.", "store"],
  delta_oldest_age_seconds: [
    "Age of the oldest change of etcd that is not durable in the store.",
    "store",
  ],
  delta_waiting_bytes: ["Bytes of deltas that wait for the store.", "store"],
  breaker_open: ["1 while calls of the store are not tried, after failures.", "store"],
  store_up: ["1 if the last listing of the store succeeded.", "store"],
  leader: ["1 if this server is the leader, or there is no election."],
  leader_known: ["1 if this server knows which server is the leader."],
  job_running: ["1 while the job runs.", "task"],
  job_progress_ratio: ["Progress of the running job, 0 to 1.", "task"],
  job_next_timestamp_seconds: ["When the job is due next.", "task"],
  verification_last_success_timestamp_seconds: [
    "End of the last verification of the store.",
    "store",
  ],
  damaged_files: ["Files of the store that the last verification found damaged.", "store"],
} satisfies Record<string, [help: string, ...labels: string[]]>;

function flag(value: boolean): number {
  return value ? 1 : 0;
}

/** Seconds since 1970 of an RFC 3339 time. */
function seconds(time: string | undefined): number | undefined {
  const ms = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(ms) ? undefined : ms / 1000;
}
