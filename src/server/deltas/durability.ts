import type { Site as SiteName } from "../status.js";
import { SeenTimes } from "./seen-times.js";
import { SiteLog } from "./site-log.js";

/** So long without an answer from etcd counts as changes that are not known, ms. */
const SILENCE_MS = 30_000;

/** How far the log of one site is. */
export interface SiteDurability {
  /** The newest revision that can be restored from this site alone. */
  readonly revision: number | undefined;
  /** Age of the oldest change that is not durable at this site, seconds; 0 if there is none. */
  readonly ageSeconds: number;
}

/**
 * What is durable where, and since when there is more. The age of a change counts from when it was first known of, by
 * the watch or by a read of etcd's revision. While etcd does not answer it counts from the last answer: any change may
 * have been made since. Times are of a monotonic clock, ms.
 */
export class Durability {
  readonly #logs = new Map<SiteName, SiteLog>();
  /** Since when a site without a base lacks what was there before. */
  readonly #lackingMs = new Map<SiteName, number>();
  #seen = new SeenTimes();
  #answeredMs: number;

  /** @param sinceMs when nothing was written any more */
  constructor(sites: readonly SiteName[], nowMs: number, sinceMs = nowMs) {
    this.#answeredMs = nowMs;
    for (const site of sites) {
      this.#logs.set(site, new SiteLog());
      this.#lackingMs.set(site, sinceMs);
    }
  }

  /** Another base begins the log: what the sites hold of the one before does not count any more. */
  restart(nowMs: number): void {
    for (const site of this.#logs.keys()) {
      this.#lackingMs.set(site, this.#since(site, nowMs) ?? nowMs);
      this.#logs.set(site, new SiteLog());
    }
    this.#seen = new SeenTimes();
  }

  log(site: SiteName): SiteLog {
    const log = this.#logs.get(site);
    if (log === undefined) throw new Error(`no log of the site ${site}`);
    return log;
  }

  /**
   * What the stores show when a term begins: revisions up to `last` were known at `atMs`. In the order of revisions; none may be
   * later than now.
   */
  seenBefore(marks: readonly { readonly last: number; readonly atMs: number }[]): void {
    let newestMs = Number.NEGATIVE_INFINITY;
    for (const { last, atMs } of marks) {
      // Clocks of other servers may differ.
      newestMs = Math.max(newestMs, atMs);
      this.#seen.known(last, newestMs);
    }
  }

  /** The watch has handed over all revisions up to this one. */
  received(revision: number, nowMs: number): void {
    this.#seen.known(revision, nowMs);
    this.#answeredMs = Math.max(this.#answeredMs, nowMs);
    const durable = [...this.#logs.values()].map((log) => log.durable ?? 0);
    this.#seen.forgetUpTo(Math.min(...durable));
  }

  /** etcd has said that this is its revision, when it was asked at `askedMs`. */
  answered(revision: number, askedMs: number): void {
    this.#seen.known(revision, Math.max(askedMs, this.#answeredMs));
    this.#answeredMs = Math.max(this.#answeredMs, askedMs);
  }

  /** The newest revision that is known of; undefined before the first. */
  get known(): number | undefined {
    return this.#seen.newest === 0 ? undefined : this.#seen.newest;
  }

  at(site: SiteName, nowMs: number): SiteDurability {
    const since = this.#since(site, nowMs);
    const ageSeconds = since === undefined ? 0 : Math.max(0, nowMs - since) / 1000;
    return { revision: this.log(site).durable, ageSeconds };
  }

  /** Since when a change is not durable at the site; undefined if all are. */
  #since(site: SiteName, nowMs: number): number | undefined {
    const revision = this.log(site).durable;
    // Without a base, nothing that was there at the beginning is safe at this site.
    if (revision === undefined) return this.#lackingMs.get(site);
    const oldest = this.#seen.oldestAfter(revision) ?? Number.POSITIVE_INFINITY;
    const isSilent = nowMs - this.#answeredMs > SILENCE_MS;
    const since = Math.min(oldest, isSilent ? this.#answeredMs : Number.POSITIVE_INFINITY);
    return Number.isFinite(since) ? since : undefined;
  }
}
