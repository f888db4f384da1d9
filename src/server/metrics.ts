import { Counter, Gauge, Registry } from "prom-client";
import type { BackupKind } from "../archive/manifest/manifest.js";
import { codeLabel } from "./error-codes.js";
import { type Failure, JOB_NAMES, type ServerState, type Site, SITES } from "./status.js";
import { StatusGauges } from "./status-gauges.js";

const KINDS = ["full", "incremental"] as const satisfies readonly BackupKind[];

/** Incomplete: the secondary, or objects that could not be read, are missing. */
export const BACKUP_RESULTS = ["success", "incomplete", "failure"] as const;
export type BackupResult = (typeof BACKUP_RESULTS)[number];

export const COPY_RESULTS = ["copied", "repaired", "present", "failed"] as const;
export type CopyResult = (typeof COPY_RESULTS)[number];

/** Why snapshots are deleted: by retention of their store, or because the primary has them no more. */
export const DELETION_REASONS = ["retention", "mirror"] as const;
export type DeletionReason = (typeof DELETION_REASONS)[number];

/**
 * The metrics of a server, in the text format of Prometheus. Gauges are taken from the status at each scrape; what
 * happened is counted as it happens. Every label has a closed set of values.
 */
export class Metrics {
  readonly contentType: string;
  readonly #registry = new Registry();
  readonly #state: Pick<ServerState, "status">;
  readonly #gauges: StatusGauges;

  readonly #backups = this.#counter("backups", "Backups that ended.", "kind", "result");
  readonly #failures = this.#counter("failures", "Jobs that failed.", "task", "code");
  readonly #copies = this.#counter("copies", "Snapshots that a sync handled.", "result");
  readonly #retries = this.#counter("store_retries", "Calls of a store, tried again.", "store");
  readonly #deletions = this.#counter("deletions", "Deleted snapshots.", "store", "reason");
  readonly #deletionFailures = this.#counter(
    "deletion_failures",
    "Snapshots that could not be deleted.",
    "store",
    "reason",
  );
  readonly #verificationFailures = this.#counter(
    "verification_failures",
    "Verifications that found damage, or could not read the store.",
    "store",
  );
  readonly #verifiedBytes = this.#counter(
    "verified_bytes",
    "Bytes that were read back and compared.",
    "store",
  );
  readonly #deltas = this.#counter("deltas", "Deltas of etcd that were stored.", "store");
  readonly #deltaBytes = this.#counter("delta_bytes", "Bytes of these deltas.", "store");
  readonly #deltaRevisions = this.#counter(
    "delta_revisions",
    "Revisions of etcd that were read for deltas.",
  );
  readonly #deltaBases = this.#counter(
    "delta_bases",
    "Raw snapshots of etcd that began a stream, since the log could not go on.",
  );
  readonly #reload = this.#gauge(
    "config_last_reload_success",
    "1 if the configuration was read without errors the last time.",
  );

  constructor(state: Pick<ServerState, "status">, version: string) {
    this.contentType = this.#registry.contentType;
    this.#state = state;
    this.#gauges = new StatusGauges(this.#registry);
    this.#gauge("build_info", "Version of the program; always 1.", "version").set({ version }, 1);
    this.#reload.set(1);
    this.#addProcess();
    this.#beginWithZero();
  }

  backupEnded(kind: BackupKind, result: BackupResult): void {
    this.#backups.inc({ kind, result });
  }

  /** @param code of a BackupToolError; others count as `OTHER` */
  jobFailed(job: Failure["job"], code: string): void {
    this.#failures.inc({ task: job, code: codeLabel(code) });
  }

  snapshotCopied(result: CopyResult): void {
    this.#copies.inc({ result });
  }

  callRetried(store: Site): void {
    this.#retries.inc({ store });
  }

  snapshotDeleted(store: Site, reason: DeletionReason): void {
    this.#deletions.inc({ store, reason });
  }

  deletionFailed(store: Site, reason: DeletionReason): void {
    this.#deletionFailures.inc({ store, reason });
  }

  verified(store: Site, bytes: number): void {
    this.#verifiedBytes.inc({ store }, bytes);
  }

  verificationFailed(store: Site): void {
    this.#verificationFailures.inc({ store });
  }

  /** The put of a delta has returned. */
  deltaStored(store: Site, bytes: number): void {
    this.#deltas.inc({ store });
    this.#deltaBytes.inc({ store }, bytes);
  }

  deltaRevisions(count: number): void {
    this.#deltaRevisions.inc(count);
  }

  deltaBaseMade(): void {
    this.#deltaBases.inc();
  }

  configRead(success: boolean): void {
    this.#reload.set(success ? 1 : 0);
  }

  /** Of every metric, with and without samples. */
  names(): string[] {
    return this.#registry.getMetricsAsArray().map(({ name }) => name);
  }

  async text(): Promise<string> {
    this.#gauges.show(this.#state.status());
    return await this.#registry.metrics();
  }

  /** A rate needs the sample before the first event. Codes of failures are too many for that. */
  #beginWithZero(): void {
    for (const kind of KINDS) {
      for (const result of BACKUP_RESULTS) this.#backups.inc({ kind, result }, 0);
    }
    for (const job of [...JOB_NAMES, "deltas", "server"])
      this.#failures.inc({ task: job, code: "OTHER" }, 0);
    for (const result of COPY_RESULTS) this.#copies.inc({ result }, 0);
    for (const store of SITES) {
      const ofStores = [this.#retries, this.#verificationFailures, this.#verifiedBytes];
      for (const counter of [...ofStores, this.#deltas, this.#deltaBytes]) {
        counter.inc({ store }, 0);
      }
      for (const reason of DELETION_REASONS) {
        this.#deletions.inc({ store, reason }, 0);
        this.#deletionFailures.inc({ store, reason }, 0);
      }
    }
  }

  /** Names and meanings as in Prometheus's own client libraries. */
  #addProcess(): void {
    const registers = [this.#registry];
    new Gauge({
      name: "process_resident_memory_bytes",
      help: "Resident memory size in bytes.",
      registers,
      collect() {
        this.set(process.memoryUsage.rss());
      },
    });
    new Counter({
      name: "process_cpu_seconds_total",
      help: "Total user and system CPU time spent in seconds.",
      registers,
      collect() {
        const { user, system } = process.cpuUsage();
        this.reset();
        this.inc((user + system) / 1e6);
      },
    });
    const started = Date.now() / 1000 - process.uptime();
    new Gauge({
      name: "process_start_time_seconds",
      help: "Start time of the process since unix epoch in seconds.",
      registers,
    }).set(started);
  }

  #counter(name: string, help: string, ...labelNames: string[]): Counter {
    const registers = [this.#registry];
    return new Counter({ name: `backuptool_${name}_total`, help, labelNames, registers });
  }

  #gauge(name: string, help: string, ...labelNames: string[]): Gauge {
    return new Gauge({ name: `backuptool_${name}`, help, labelNames, registers: [this.#registry] });
  }
}
