import type { StateFolder } from "../../operations/open/state-file.js";
import type { OperationEvent } from "../../operations/events.js";
import type { ScrubResult } from "../../operations/snapshots/scrub.js";
import type { ServerOptions } from "../../settings/server-options.js";
import type { DeletionReason, Metrics } from "../metrics.js";
import type { MadeRawSnapshot } from "../deltas/deltas.js";
import type { Site } from "../site.js";
import type { Sites } from "../sites.js";
import type { JobName, Site as SiteName } from "../status.js";
import { type BackupResult, runBackup } from "./backup.js";
import type { JobOutcome } from "./job.js";
import { runRetention } from "./retention.js";
import type { JobContext } from "./runner.js";
import { SyncJob } from "./sync.js";
import { runVerify } from "./verify.js";

interface WorkParts {
  readonly sites: Sites;
  readonly metrics: Metrics;
  readonly stateFolder: StateFolder | undefined;
  passphrase(signal: AbortSignal): Promise<Uint8Array>;
  onBackup(made: BackupResult): void;
  /** A full backup begins; returns what is called once it is complete, with its raw snapshot. */
  onFullBegun(): (made: MadeRawSnapshot) => void;
  onVerified(at: Date): void;
}

/** Does what each job is for, with the options of the moment. */
export class Work {
  readonly #parts: WorkParts;
  #syncJob = new SyncJob();

  constructor(parts: WorkParts) {
    this.#parts = parts;
  }

  /** Why the last sync deleted nothing from a mirror. */
  get refusal(): string | undefined {
    return this.#syncJob.refusal;
  }

  /** What this server knew while it led before may be wrong now. */
  beginTerm(): void {
    this.#syncJob = new SyncJob();
  }

  run(job: JobName, options: ServerOptions, context: JobContext): Promise<JobOutcome> {
    switch (job) {
      case "full":
      case "incremental":
        return this.#backup(job, options, context);
      case "sync":
        return this.#sync(options, context);
      case "retention":
        return this.#retention(options, context);
      case "verify":
        return this.#verify(options, context);
    }
  }

  async #backup(
    kind: "full" | "incremental",
    options: ServerOptions,
    context: JobContext,
  ): Promise<JobOutcome> {
    const { sites, metrics, passphrase, stateFolder, onBackup, onFullBegun } = this.#parts;
    const { primary, secondary } = sites.stores;
    // A store that is down costs a backup time and changes nothing: the sync copies later.
    const isUp = sites.secondary?.breaker === "closed";
    const onRawMade = onFullBegun();
    try {
      const made = await runBackup(
        kind,
        options.backup,
        { primary, secondary: isUp ? secondary : undefined },
        { ...context, stateFolder, passphrase: () => passphrase(context.signal) },
      );
      const behind = made.secondaryBehind || (secondary !== undefined && !isUp);
      const isWhole = !behind && made.missing === 0;
      metrics.backupEnded(made.kind, isWhole ? "success" : "incomplete");
      onBackup({ ...made, secondaryBehind: behind });
      const { rawRevision, snapshot: name } = made;
      if (rawRevision !== undefined && name !== undefined) {
        const at = behind ? [sites.primary] : sites.all;
        onRawMade({ name, revision: rawRevision, sites: at.map((site) => site.name) });
      }
      await this.#checkSites(context);
      const { snapshot, objects, records } = made;
      const stored = sites.primary.listing?.snapshots.find(({ name }) => name.text === snapshot);
      return { snapshot, objects, records, bytes: stored?.facts?.bytes };
    } catch (error) {
      if (!context.signal.aborted) metrics.backupEnded(kind, "failure");
      await this.#checkSites(context);
      throw error;
    }
  }

  /** What is due next depends on what the primary holds now. A secondary that does not answer delays nothing. */
  async #checkSites({ signal }: JobContext): Promise<void> {
    const { sites } = this.#parts;
    if (sites.secondary !== undefined) void sites.check(sites.secondary, signal);
    await sites.check(sites.primary, signal);
  }

  async #sync(options: ServerOptions, context: JobContext): Promise<JobOutcome> {
    const { sites } = this.#parts;
    if (options.sync === undefined) return {};
    try {
      const report = (event: OperationEvent): void => {
        context.report(event);
        countDeletion(this.#parts.metrics, "secondary", "mirror", event);
      };
      return await this.#syncJob.run(sites, options.sync, options, { ...context, report });
    } finally {
      await Promise.all(sites.all.map((site) => sites.check(site, context.signal)));
    }
  }

  async #retention(options: ServerOptions, context: JobContext): Promise<JobOutcome> {
    const { sites } = this.#parts;
    const { mirrors, retention, leader } = options;
    // A mirror deletes what the primary has no more, and nothing else, also while the sync is off.
    const hasRules = ({ name }: Site): boolean => name === "primary" || !mirrors;
    try {
      const onEvent = ({ name }: Site, event: OperationEvent): void =>
        countDeletion(this.#parts.metrics, name, "retention", event);
      const rules = { ...retention, hasRules, waitMs: leader?.ttlMs ?? 0 };
      return await runRetention(sites.usable, rules, context, onEvent);
    } finally {
      await this.#checkSites(context);
    }
  }

  async #verify({ verifyPart }: ServerOptions, context: JobContext): Promise<JobOutcome> {
    const { sites, metrics, onVerified } = this.#parts;
    const onScrubbed = ({ name }: Site, { bytesRead, damagedFiles }: ScrubResult): void => {
      metrics.verified(name, bytesRead);
      if (damagedFiles > 0) metrics.verificationFailed(name);
    };
    try {
      return await runVerify(sites.usable, verifyPart, context, onScrubbed);
    } finally {
      onVerified(new Date());
      await this.#checkSites(context);
    }
  }
}

function countDeletion(
  metrics: Metrics,
  site: SiteName,
  reason: DeletionReason,
  event: OperationEvent,
): void {
  if (event.type === "snapshot-deleted") metrics.snapshotDeleted(site, reason);
  if (event.type === "snapshot-not-deleted") metrics.deletionFailed(site, reason);
}
