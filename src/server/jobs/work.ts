import type { StateFolder } from "../../operations/open/state-file.js";
import type { ScrubResult } from "../../operations/snapshots/scrub.js";
import type { ServerOptions } from "../../settings/server-options.js";
import type { Metrics } from "../metrics.js";
import type { Site } from "../site.js";
import type { Sites } from "../sites.js";
import type { JobName, SyncLag } from "../status.js";
import { type BackupResult, runBackup } from "./backup.js";
import type { JobOutcome } from "./job.js";
import { runRetention } from "./retention.js";
import type { JobContext } from "./runner.js";
import { runVerify } from "./verify.js";

interface WorkParts {
  readonly sites: Sites;
  readonly metrics: Metrics;
  readonly stateFolder: StateFolder | undefined;
  passphrase(signal: AbortSignal): Promise<Uint8Array>;
  onBackup(made: BackupResult): void;
  onLag(lag: SyncLag): void;
  onVerified(at: Date): void;
}

/** Does what each job is for, with the options of the moment. */
export class Work {
  readonly #parts: WorkParts;

  constructor(parts: WorkParts) {
    this.#parts = parts;
  }

  run(job: JobName, options: ServerOptions, context: JobContext): Promise<JobOutcome> {
    switch (job) {
      case "full":
      case "incremental":
        return this.#backup(job, options, context);
      case "sync":
        throw new Error("WIP");
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
    const { sites, metrics, passphrase, stateFolder, onBackup } = this.#parts;
    const { primary, secondary } = sites.stores;
    // A store that is down costs a backup time and changes nothing: the sync copies later.
    const isUp = sites.secondary?.breaker === "closed";
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
      const { snapshot, objects, records } = made;
      return { snapshot, objects, records };
    } catch (error) {
      if (!context.signal.aborted) metrics.backupEnded(kind, "failure");
      throw error;
    } finally {
      // What is due next depends on what the store holds now.
      await Promise.all(sites.all.map((site) => sites.check(site, context.signal)));
    }
  }
  async #retention({ retention }: ServerOptions, context: JobContext): Promise<JobOutcome> {
    const { sites } = this.#parts;
    try {
      return await runRetention(sites.usable, retention, context);
    } finally {
      await Promise.all(sites.all.map((site) => sites.check(site, context.signal)));
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
      await Promise.all(sites.all.map((site) => sites.check(site, context.signal)));
    }
  }
}
