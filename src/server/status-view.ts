import type { DeltaStatus } from "../operations/status/delta-status.js";
import { siteStatus } from "../operations/status/status.js";
import type { SiteStatus, VerificationStatus } from "../operations/status/site-status.js";
import { damagedFiles, type ScrubProgress } from "../snapshots/control/scrub-progress.js";
import type { SnapshotRow } from "../operations/snapshots/events.js";
import { snapshotRows } from "../operations/snapshots/list.js";
import type { ServerOptions } from "../settings/server-options.js";
import type { StoredStream } from "../snapshots/streams/stored-stream.js";
import { configView } from "./config-view.js";
import type { JobRunner } from "./jobs/runner.js";
import type { LagView } from "./lag-view.js";
import type { Leader } from "./leader.js";
import type { Site } from "./site.js";
import type { Sites } from "./sites.js";
import {
  type ActiveAlert,
  JOB_NAMES,
  type JobStatus,
  type JobName,
  type ServerStatus,
  type ServerState,
  type StreamRow,
  type Site as SiteName,
} from "./status.js";

/** What a status is made of. */
export interface StatusSources {
  readonly version: string;
  readonly sites: Sites;
  readonly runner: JobRunner;
  readonly leader: Leader;
  readonly lag: LagView;
  deltas(): DeltaStatus;
  /** The streams of a listing, with what this server has stored since. */
  streams(site: SiteName, listed: readonly StoredStream[]): readonly StoredStream[];
  /** Why the mirror deletes nothing. */
  refusal(): string | undefined;
  alerts(): readonly ActiveAlert[];
  options(): ServerOptions;
}

/** The status of a server, made anew at most once a second. */
export class StatusView implements ServerState {
  readonly #sources: StatusSources;
  readonly #startedAt = new Date().toISOString();
  readonly #listeners = new Set<() => void>();
  #made: { readonly status: ServerStatus; readonly atMs: number } | undefined;

  constructor(sources: StatusSources) {
    this.#sources = sources;
  }

  status(): ServerStatus {
    const now = performance.now();
    if (this.#made === undefined || now - this.#made.atMs >= 1000) {
      this.#made = { status: this.#make(), atMs: now };
    }
    return this.#made.status;
  }

  snapshots(name: SiteName): readonly SnapshotRow[] {
    const site = this.#sources.sites.all.find((one) => one.name === name);
    if (site?.listing === undefined) return [];
    const { snapshots, holds } = site.listing;
    const listing = { snapshots, holds: new Map([...holds].map((held) => [held, {}])) };
    return [...snapshotRows(site.prefix, listing, undefined, new Date())];
  }

  streams(name: SiteName): readonly StreamRow[] {
    const site = this.#sources.sites.all.find((one) => one.name === name);
    if (site?.listing === undefined) return [];
    return this.#sources.streams(name, site.listing.streams).map(streamRow);
  }

  config(): unknown {
    return configView(this.#sources.options());
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed = (): void => {
    this.#made = undefined;
    for (const listener of this.#listeners) listener();
  };

  #make(): ServerStatus {
    const { version, sites, runner, leader, alerts } = this.#sources;
    const jobs = Object.fromEntries(
      JOB_NAMES.map((name) => [name, runner.jobs[name].status()]),
      // Every job has one, which the type of entries cannot say.
    ) as Record<JobName, JobStatus>;
    const isSynced = this.#sources.options().sync !== undefined;
    const { lastSuccess, lastFailure, nextAt, state } = jobs.sync;
    return {
      version,
      now: new Date().toISOString(),
      startedAt: this.#startedAt,
      leader: leader.status(),
      sites: Object.fromEntries(sites.all.map((site) => [site.name, statusOf(site)])),
      ...(sites.secondary !== undefined && {
        sync: {
          enabled: isSynced,
          running: state === "running",
          refusal: isSynced ? this.#sources.refusal() : undefined,
          lag: isSynced ? this.#sources.lag.lag(new Date()) : undefined,
          lastSuccess: lastSuccess?.at,
          lastFailure,
          nextAt,
        },
      }),
      deltas: this.#sources.deltas(),
      jobs,
      failures: runner.failures.list,
      alerts: alerts(),
    };
  }
}

function streamRow({ name, deltas, left, first, last, lastSeen, base }: StoredStream): StreamRow {
  return {
    name: name.text,
    deltas: deltas.length,
    bytes: left.bytes,
    first,
    last,
    lastSeen: lastSeen === undefined ? undefined : new Date(lastSeen * 1000).toISOString(),
    hasBase: base?.state === "complete",
  };
}

function statusOf(site: Site): SiteStatus {
  const { listing, breaker, error, label } = site;
  return siteStatus({
    store: label,
    breaker,
    listed: listing?.snapshots ?? [],
    checkedAt: listing?.at,
    error: error?.message,
    holds: listing?.holds ?? new Set(),
    verification: listing?.scrub && verificationOf(listing.scrub),
    now: new Date(),
  });
}

function verificationOf(scrub: ScrubProgress): VerificationStatus {
  const { part, parts, at } = scrub;
  return { lastAt: at, coveredPercent: (100 * part) / parts, damagedFiles: damagedFiles(scrub) };
}
