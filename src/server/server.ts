import { throwIfAborted } from "../errors.js";
import { sleep } from "../flow/sleep.js";
import type { OperationEvent } from "../operations/events.js";
import type { StateFolder } from "../operations/open/state-file.js";
import type { ServerOptions } from "../settings/server-options.js";
import type { Environment } from "../snapstore/settings/roles.js";
import { Alerts } from "./alerts.js";
import { Deltas } from "./deltas/deltas.js";
import { ClockWatch } from "./clock-watch.js";
import { conditionsOf } from "./conditions.js";
import { type NewestBackups, newestBackups } from "./jobs/due.js";
import { JobRunner } from "./jobs/runner.js";
import { Timetable } from "./jobs/timetable.js";
import { Work } from "./jobs/work.js";
import { LagView } from "./lag-view.js";
import { dutyGuard, type Leader, LeaderLoop, SOLE_LEADER } from "./leader.js";
import type { Log } from "./log.js";
import { Metrics } from "./metrics.js";
import type { Site } from "./site.js";
import { Sites } from "./sites.js";
import {
  type ActiveAlert,
  type Failure,
  JOB_NAMES,
  type JobName,
  type ServerActions,
  type Site as SiteName,
  type TriggerResult,
} from "./status.js";
import { StatusView } from "./status-view.js";

/** Time between two looks at what is due, ms. */
const LOOK_MS = 1000;
/** Time between two looks at what has to be alerted, ms. */
const ALERT_EVERY_MS = 10_000;
/** Failures of runs that have done their work: the next one is due when it is planned. */
const DONE_ALL_THE_SAME: readonly string[] = ["VERIFICATION_FAILED", "MIRROR_REFUSED"];
const NONE_LISTED: NewestBackups = { full: undefined, any: undefined };
/** Failures in a row after which retention waits for its period. */
const RETENTION_TRIES = 3;
/** Of calls to a store that nothing is copied to. */
const RETRIES = { maxRetries: 5, backoffMs: 1000 };
/** Share of the grace period that is left for aborting what still runs then, and removing what it leaves. */
const ABORT_SHARE = 1 / 3;

export interface ServerParts {
  readonly version: string;
  readonly log: Log;
  readonly stateFolder: StateFolder | undefined;
  /** Variables, for the command that gets alerts. */
  readonly env: Environment;
  passphrase(signal: AbortSignal): Promise<Uint8Array>;
  /** Of this process, once it listens. */
  identity(): { readonly name: string; readonly url: string };
}

/** Runs the jobs of a server when they are due, while it leads. */
export class BackupServer implements ServerActions {
  readonly view: StatusView;
  readonly metrics: Metrics;
  readonly sites: Sites;
  readonly #log: Log;
  readonly #runner: JobRunner;
  readonly #leader: Leader;
  readonly #work: Work;
  readonly #deltas: Deltas;
  readonly #alerts: Alerts;
  readonly #timetable = new Timetable(new Date());
  /** Aborts what runs. */
  readonly #abort = new AbortController();
  readonly #stop = new AbortController();
  #options: ServerOptions;
  #leads = false;
  #alertedMs = Number.NEGATIVE_INFINITY;
  #leaderSeenMs = performance.now();
  #conditions: readonly ActiveAlert[] = [];
  readonly #clock = new ClockWatch();
  #draining = false;

  /** @throws UsageError */
  constructor(options: ServerOptions, parts: ServerParts) {
    const { log, version } = parts;
    this.#options = options;
    this.#log = log;
    const changed = (): void => this.view.changed();
    this.#runner = new JobRunner({
      log,
      onEvent: (_, event) => this.#count(event),
      onEnded: (job, failure, failures) => this.#ended(job, failure, failures),
      changed,
    });
    this.#leader =
      options.leader === undefined
        ? SOLE_LEADER
        : new LeaderLoop(options.leader, parts.identity, {
            log,
            changed,
            primary: () => this.sites.primary.checks,
          });
    this.sites = new Sites({
      stores: () => this.#options.stores(),
      retries: options.sync?.retries ?? RETRIES,
      guard: dutyGuard(this.#leader),
      log,
      onRecovered: (site) => this.#recovered(site),
      onRetry: (site) => this.metrics.callRetried(site),
      onListing: (site, listing) => this.#deltas.onListing(site, listing),
      changed,
    });
    this.view = new StatusView({
      version,
      sites: this.sites,
      runner: this.#runner,
      leader: this.#leader,
      deltas: () => this.#deltas.status(),
      streams: (site, listed) => this.#deltas.streams(site, listed),
      refusal: () => this.#work.refusal,
      lag: new LagView(this.sites, () => this.#options),
      alerts: () => (this.#leads ? this.#alerts.active : this.#conditions),
      options: () => this.#options,
    });
    this.metrics = new Metrics(this.view, version);
    this.#alerts = new Alerts(
      {
        server: parts.identity().name,
        webhook:
          options.alerts.webhook === undefined
            ? undefined
            : {
                url: options.alerts.webhook,
                secretFile: options.alerts.webhookSecretFile,
              },
        command: options.alerts.command,
        env: parts.env,
      },
      log,
    );
    this.#deltas = new Deltas({
      sites: this.sites,
      log,
      metrics: this.metrics,
      options: () => this.#options,
      passphrase: parts.passphrase,
      onFailed: (failure) => {
        this.#runner.failed(failure);
        this.metrics.jobFailed("deltas", failure.code);
      },
      changed,
    });
    this.#work = new Work({
      ...parts,
      sites: this.sites,
      metrics: this.metrics,
      onFullBegun: () => this.#deltas.fullBegun(),
      onBackup: ({ kind, secondaryBehind }) => {
        this.#timetable.backupMade(kind);
        if (secondaryBehind) this.#timetable.request("sync");
      },
      onVerified: (at) => this.#timetable.verified(at),
    });
  }

  get options(): ServerOptions {
    return this.#options;
  }

  /** From the next run of each job on. What was opened at the start stays: leader, HTTP. */
  use(options: ServerOptions): void {
    this.#options = options;
    this.view.changed();
  }

  /**
   * Lists the stores, and then runs jobs until `stop`.
   *
   * @param signal ends the first listing
   * @throws what an unusable primary store throws, UsageError, InterruptedError
   */
  async run(signal: AbortSignal): Promise<void> {
    await this.sites.open(signal);
    throwIfAborted(signal);
    const stopped = this.#stop.signal;
    if (this.#options.sync !== undefined) this.#log.info("Starting periodic backup copier");
    const leading = this.#leader.run(stopped);
    // It is awaited below, after the loop: a failure before must not end the process.
    leading.catch(() => {});
    while (!stopped.aborted) {
      this.#look();
      await sleep(LOOK_MS, stopped).catch(() => {});
    }
    await leading;
  }

  /** Lets jobs in progress end within the grace period, cuts off the others, and gives the leadership back. */
  async stop(): Promise<void> {
    this.#draining = true;
    const { shutdownGraceMs } = this.#options;
    const running = JOB_NAMES.filter((job) => this.#runner.jobs[job].running);
    if (running.length > 0) {
      this.#log.info({ jobs: running.join(" ") }, "Waiting for jobs to end");
    }
    const waited = new AbortController();
    const patience = sleep(shutdownGraceMs * (1 - ABORT_SHARE), waited.signal).then(
      () => this.#abort.abort(),
      () => {},
    );
    await Promise.all([this.#runner.idle(), this.#deltas.drain(this.#abort.signal)]);
    waited.abort();
    await patience;
    await this.#deltas.close();
    this.#stop.abort();
    await this.sites.close();
    await this.#alerts.close();
  }

  async trigger(job: JobName): Promise<TriggerResult> {
    const { lead } = this.#leader;
    const no = (reason: Extract<TriggerResult, { accepted: false }>["reason"]): TriggerResult => ({
      accepted: false,
      reason,
    });
    if (this.#draining) return no("stopping");
    if (lead === undefined) return no("not-leader");
    if (job === "sync" && this.#options.sync === undefined) return no("disabled");
    if (this.#runner.isBusy(job)) return no("running");
    if (!this.#isReady(job)) return no("unavailable");
    this.#begin(job);
    return { accepted: true };
  }

  flushDeltas(): TriggerResult {
    if (this.#draining) return { accepted: false, reason: "stopping" };
    if (this.#leader.lead === undefined) return { accepted: false, reason: "not-leader" };
    return this.#deltas.flush();
  }

  /** Begins what is due and can run now. */
  #look(): void {
    if (this.#draining) return;
    const { lead } = this.#leader;
    this.#deltas.look(lead, this.#abort.signal);
    if (this.#clock.wasSetBack()) for (const site of this.sites.all) site.forgetFailures();
    this.sites.checkWhereDue(this.#abort.signal);
    if (this.#leads !== (lead !== undefined)) this.#leadershipChanged(lead !== undefined);
    const { listing } = this.sites.primary;
    const newest = listing && newestBackups(listing.snapshots, new Date());
    for (const job of JOB_NAMES) {
      const at = this.#dueAt(job, newest);
      const isDue = at !== undefined && at.getTime() <= Date.now();
      const isReady = lead !== undefined && !this.#runner.isBusy(job) && this.#isReady(job);
      this.#runner.jobs[job].plan(at, isDue && !isReady);
      if (isDue && isReady) this.#begin(job);
    }
    this.#alert();
  }

  /** Before the first listing nothing is due but retention: it makes room in a store with too much to list. */
  #dueAt(job: JobName, newest: NewestBackups | undefined): Date | undefined {
    if (newest === undefined && job !== "retention") return undefined;
    return this.#timetable.dueAt(job, this.#options, newest ?? NONE_LISTED);
  }

  #leadershipChanged(leads: boolean): void {
    this.#leads = leads;
    if (!leads) {
      // The next leader alerts by what it finds.
      this.#alerts.forget();
      for (const job of JOB_NAMES) this.#runner.jobs[job].endTerm();
      return;
    }
    this.#work.beginTerm();
    // For what the leader before has left.
    if (this.#options.sync !== undefined) this.#timetable.request("sync");
    const verified = lastVerified(this.sites.all);
    if (verified !== undefined) this.#timetable.verified(verified);
  }

  /** Only the leader alerts, since every server would otherwise; but for one condition, that there is no leader. */
  #alert(): void {
    const now = performance.now();
    if (now - this.#alertedMs < ALERT_EVERY_MS) return;
    this.#alertedMs = now;
    this.#conditions = conditionsOf(this.view.status(), this.#options, this.#leaderless());
    const own = this.#conditions.filter(({ name }) => this.#leads || name === "no-leader");
    this.#alerts.update(own);
  }

  /** For how long no leader is known, ms. */
  #leaderless(): number {
    const now = performance.now();
    if (this.#leader.lead !== undefined || this.#leader.isSettled) this.#leaderSeenMs = now;
    return now - this.#leaderSeenMs;
  }

  #isReady(job: JobName): boolean {
    const { primary, secondary, usable } = this.sites;
    switch (job) {
      case "retention":
      case "verify":
        return usable.length > 0;
      case "sync":
        return secondary !== undefined && usable.length === 2;
      default:
        return usable.includes(primary);
    }
  }

  #begin(job: JobName): void {
    const { lead } = this.#leader;
    if (lead === undefined) return;
    const signal = AbortSignal.any([this.#abort.signal, lead.lost]);
    const options = this.#options;
    this.#timetable.begun(job);
    this.#runner.begin(job, { signal, guard: lead.guard }, (context) =>
      this.#work.run(job, options, context),
    );
  }

  #count(event: OperationEvent): void {
    switch (event.type) {
      case "snapshot-copied":
        this.metrics.snapshotCopied(event.outcome);
        return;
      case "snapshot-not-copied":
        this.metrics.snapshotCopied("failed");
        return;
      case "store-retrying": {
        const site = this.sites.all.find(({ label }) => label === event.store);
        if (site !== undefined) this.metrics.callRetried(site.name);
        return;
      }
      default:
    }
  }

  #ended(job: JobName, failure: Failure | undefined, failures: number): void {
    if (failure !== undefined) this.metrics.jobFailed(job, failure.code);
    // Retention that goes on to fail waits for a person.
    const isAlerted = job === "retention" && failures >= RETENTION_TRIES;
    const waits = isAlerted || (failure !== undefined && DONE_ALL_THE_SAME.includes(failure.code));
    this.#timetable.ended(job, this.#options, waits ? 0 : failures);
  }

  #recovered(site: SiteName): void {
    this.#log.info({ site }, "The store is usable again");
    if (this.#options.sync !== undefined) this.#timetable.request("sync");
  }
}

/** When the site that was read back the longest ago was; undefined before all were. */
function lastVerified(sites: readonly Site[]): Date | undefined {
  const times = sites.map(({ listing }) => Date.parse(listing?.scrub?.at ?? ""));
  const oldest = Math.min(...times);
  return Number.isFinite(oldest) ? new Date(oldest) : undefined;
}
