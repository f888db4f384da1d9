import { changesDigest } from "../../archive/delta/changes-digest.js";
import { BackupToolError, errorMessage, InterruptedError } from "../../errors.js";
import { SpoolFile } from "../../files/spool-file.js";
import type { OperationEvent } from "../../operations/events.js";
import { withHistory } from "../../operations/history/access.js";
import { proveBase } from "../../operations/history/prove-base.js";
import { type EtcdBaseOptions, makeEtcdBase } from "../../operations/create/etcd-base.js";
import type { DeltaBreak, DeltaStatus, SiteDeltas } from "../../operations/status/delta-status.js";
import type { ServerOptions } from "../../settings/server-options.js";
import type { StoredStream } from "../../snapshots/streams/stored-stream.js";
import { logEvent } from "../event-log.js";
import { failureOf } from "../jobs/job.js";
import type { Lead } from "../leader.js";
import type { Log } from "../log.js";
import type { Metrics } from "../metrics.js";
import { atSite } from "../site-failure.js";
import type { SiteListing } from "../site.js";
import type { Sites } from "../sites.js";
import type { Failure, Site as SiteName, TriggerResult } from "../status.js";
import type { MadeBase } from "./delta-loop.js";
import { deltaSite, listedHistory, listHistories } from "./delta-sites.js";
import { DeltaTerm, type TermEvents } from "./delta-term.js";
import { openEtcdWatch, openNewestWatch, watchEndOf } from "./etcd-watch.js";
import { readLogEnd } from "./last-changes.js";
import { LogProof, type ProofResult } from "./log-proof.js";
import { SitePins } from "./site-pins.js";
import { StoredSince } from "./stored-since.js";
import { StreamKeyring } from "./stream-keyring.js";
import { wantedStreams } from "./wanted-streams.js";

/** Sealed deltas that may wait for a site, in multiples of their largest size. */
const OUTBOX_LIMITS = 4;
const OUTBOX_DELTAS = 1_000;
/** Time before a term that has failed begins again, ms. */
const RESTART_MS = 5_000;
/** A failure at a site is told once in this time, ms. */
const TOLD_EVERY_MS = 60_000;

interface DeltasParts {
  readonly sites: Sites;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "deltaStored" | "deltaBaseMade" | "deltaRevisions">;
  options(): ServerOptions;
  passphrase(signal: AbortSignal): Promise<Uint8Array>;
  onFailed(failure: Failure): void;
  changed(): void;
}

interface Running {
  readonly term: DeltaTerm;
  readonly lead: Lead;
  readonly ended: Promise<void>;
  readonly abort: AbortController;
  readonly signal: AbortSignal;
}

/** A raw snapshot in a full backup that is complete. */
export interface MadeRawSnapshot {
  /** Of the backup. */
  readonly name: string;
  readonly revision: number;
  readonly sites: readonly SiteName[];
}

/** Writes what changes in etcd to the stores every few seconds, while this server leads. */
export class Deltas {
  readonly #parts: DeltasParts;
  readonly #keyring: StreamKeyring;
  readonly #proof: LogProof;
  #running: Running | undefined;
  #isDraining = false;
  #restartMs = 0;
  /** Since when nothing is written although this server should. */
  #idleSinceMs: number | undefined;
  #lastBreak: DeltaBreak | undefined;
  readonly #toldMs = new Map<SiteName, number>();
  readonly #stored: Readonly<Record<SiteName, StoredSince>> = {
    primary: new StoredSince(),
    secondary: new StoredSince(),
  };

  constructor(parts: DeltasParts) {
    this.#parts = parts;
    this.#keyring = new StreamKeyring({
      passphrase: parts.passphrase,
      kdf: () => parts.options().backup.kdf,
    });
    this.#proof = new LogProof({
      prove: (snapshot, signal) => this.#prove(snapshot, signal),
      ended: ({ outcome, message }) => {
        if (outcome === "proven") parts.log.info(message);
        else parts.log.error({ outcome }, `The log of etcd is not proved: ${message}`);
        parts.changed();
      },
    });
  }

  /** Begins or ends a term, by who leads and what the settings are. To be called often. */
  look(lead: Lead | undefined, signal: AbortSignal): void {
    const isWanted = lead !== undefined && this.#isOn && !this.#isDraining;
    if (this.#running !== undefined) {
      const { term, signal: own } = this.#running;
      this.#proof.look(term.storedDeltas(this.#usable), own);
      // What was read is written, unless another server leads.
      if (!isWanted) term.drain();
      // Turned on again: etcd sends once more what no store has.
      else if (term.isDrained) this.#running.abort.abort();
      return;
    }
    if (!isWanted) {
      this.#idleSinceMs = undefined;
      return;
    }
    this.#idleSinceMs ??= performance.now();
    // What one store gets alone is copied to the other one later.
    if (performance.now() < this.#restartMs || this.#parts.sites.usable.length === 0) return;
    this.#running = this.#begin(lead, signal);
  }

  /** Takes nothing more from etcd, and resolves once both sites have what was taken, or `signal` aborts. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#isDraining = true;
    const running = this.#running;
    if (running === undefined) return;
    running.term.drain();
    const abort = (): void => running.abort.abort();
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    await running.ended;
    signal.removeEventListener("abort", abort);
  }

  async close(): Promise<void> {
    this.#running?.abort.abort();
    await this.#running?.ended;
    await this.#keyring.close();
  }

  /** Writes what has been read so far. */
  flush(): TriggerResult {
    if (!this.#isOn) return { accepted: false, reason: "disabled" };
    if (this.#running?.term.loop.flush() === true) return { accepted: true };
    const message = `deltas are not written now: ${this.status().state}`;
    return { accepted: false, reason: "unavailable", message };
  }

  /** A full backup begins. Returns what is to be called with its raw snapshot once it is complete. */
  fullBegun(): (made: MadeRawSnapshot) => void {
    const term = this.#running?.term;
    const begun = term?.fullBegun();
    return ({ name, revision, sites }) => {
      // One that was made in another term is found by the listings.
      if (begun === undefined || term === undefined || term !== this.#running?.term) return;
      const isStored = term.isDurable(revision, this.#usable);
      term.fullMade(begun, revision, sites);
      if (!term.isOfNow(begun)) return;
      this.#proof.request(name, revision, isStored, term.storedDeltas(this.#usable));
    };
  }

  onListing(site: SiteName, listing: SiteListing | undefined): void {
    const term = this.#running?.term;
    if (listing === undefined) {
      this.#stored[site].listingBegun();
      term?.listingBegun(site);
      return;
    }
    this.#stored[site].listed();
    term?.listed(site, listedHistory(listing));
  }

  /** The streams of a site: those of its last listing, with the deltas that this server has stored since. */
  streams(site: SiteName, listed: readonly StoredStream[]): readonly StoredStream[] {
    return this.#stored[site].addedTo(listed);
  }

  status(): DeltaStatus {
    const running = this.#running;
    if (running === undefined) return this.#idleStatus;
    const { loop, durability, outbox } = running.term;
    const nowMs = performance.now();
    const { etcdRevision } = loop;
    const siteOf = (site: SiteName): SiteDeltas => {
      const { revision, ageSeconds } = durability.at(site, nowMs);
      const known = Math.max(etcdRevision ?? 0, loop.covered ?? 0);
      return {
        durableRevision: revision,
        missingRevisions:
          revision === undefined || known === 0 ? undefined : Math.max(0, known - revision),
        oldestSeconds: Math.round(ageSeconds * 10) / 10,
        waiting: outbox.waiting(site),
        isBehind: outbox.isLacking(site),
      };
    };
    const names = this.#parts.sites.all.map(({ name }) => name);
    return {
      state: loop.state,
      stream: loop.stream,
      readRevision: loop.covered,
      etcdRevision,
      // Before that, another server may have written the log of another history.
      provenRevision: loop.covered === undefined ? undefined : this.#proof.provenRevision,
      proof: this.#proof.proof,
      lastBreak: this.#lastBreak,
      sites: Object.fromEntries(names.map((name) => [name, siteOf(name)])),
    };
  }

  get #idleStatus(): DeltaStatus {
    const sinceMs = this.#idleSinceMs;
    if (!this.#isOn || sinceMs === undefined) {
      return { state: this.#isOn ? "standby" : "off", sites: {} };
    }
    const oldestSeconds = Math.round((performance.now() - sinceMs) / 100) / 10;
    const site: SiteDeltas = {
      ...{ oldestSeconds, isBehind: false },
      waiting: { deltas: 0, bytes: 0 },
    };
    const names = this.#parts.sites.all.map(({ name }) => name);
    return { state: "failing", sites: Object.fromEntries(names.map((name) => [name, site])) };
  }

  get #usable(): SiteName[] {
    return this.#parts.sites.usable.map(({ name }) => name);
  }

  /** Raw snapshots are what a log begins with. */
  get #isOn(): boolean {
    const { backup, deltas } = this.#parts.options();
    return deltas !== undefined && backup.etcd !== undefined && backup.etcdMode !== "records";
  }

  #begin(lead: Lead, outer: AbortSignal): Running {
    const { sites, log, changed } = this.#parts;
    const abort = new AbortController();
    const signal = AbortSignal.any([outer, lead.lost, abort.signal]);
    this.#lastBreak = undefined;
    const pins = new SitePins(sites, log);
    const limits = () => {
      const { periodMs = 0, memoryLimitBytes = 0 } = this.#parts.options().deltas ?? {};
      return { periodMs, bytes: memoryLimitBytes };
    };
    const term = new DeltaTerm({
      sites: sites.all.map((site) => deltaSite(site, sites)),
      list: (inner) => listHistories(sites, inner),
      readEnd: (revision, listed, inner) => {
        const copies = sites.all.flatMap(({ name, checks: store }) => {
          const history = listed.get(name);
          return history === undefined ? [] : [{ store, history }];
        });
        return readLogEnd(revision, copies, this.#keyring, inner);
      },
      openWatch: (after, inner) => openEtcdWatch(this.#etcd, after, this.#onProblem, inner),
      openNewest: (inner) => openNewestWatch(this.#etcd, this.#onProblem, inner),
      openQueueFile: () => SpoolFile.create(this.#parts.options().backup.spoolDir, "spool-dir"),
      endOf: watchEndOf,
      openStream: async (inner) => this.#keyring.streamOf(await this.#keyring.newKeys(inner)),
      makeBase: (nameTime, onRead, inner) =>
        this.#makeBase({ onRead, nameTime: () => nameTime }, lead, inner),
      digestOf: changesDigest,
      wanted: (site, listed) => wantedStreams(site, listed, this.#parts.options(), new Date()),
      limits,
      outbox: { bytes: OUTBOX_LIMITS * limits().bytes, deltas: OUTBOX_DELTAS },
      events: this.#events(pins, signal),
    });
    log.info("The log of etcd begins");
    const ended = term
      .run(signal)
      .catch((error: unknown) => {
        if (signal.aborted || error instanceof InterruptedError) return;
        this.#failed(error);
        this.#restartMs = performance.now() + RESTART_MS;
      })
      .finally(async () => {
        this.#running = undefined;
        const nowMs = performance.now();
        const ages = sites.all.map(({ name }) => term.durability.at(name, nowMs).ageSeconds);
        this.#idleSinceMs = nowMs - 1000 * Math.max(...ages);
        log.info("The log of etcd ends");
        changed();
        await pins.release();
      });
    return { term, lead, ended, abort, signal };
  }

  get #etcd() {
    const { etcd } = this.#parts.options().backup;
    if (etcd === undefined) throw new InterruptedError("etcd is skipped now");
    return etcd;
  }

  readonly #onProblem = (reason: string): void => {
    this.#parts.log.debug({ reason }, "The watch of etcd is opened again");
  };

  async #makeBase(
    hooks: Pick<EtcdBaseOptions, "onRead" | "nameTime">,
    { guard }: Lead,
    signal: AbortSignal,
  ): Promise<MadeBase> {
    const { sites, options, log } = this.#parts;
    const { backup } = options();
    const { primary, secondary } = sites.stores;
    const isUp = sites.secondary?.breaker === "closed";
    const made = await makeEtcdBase(
      {
        ...{ etcd: this.#etcd, spoolDir: backup.spoolDir, archiveSize: backup.archiveSize },
        ...{ compressionLevel: backup.compressionLevel, toolVersion: backup.toolVersion },
        store: primary,
        secondaryStore: isUp ? secondary : undefined,
        newKeys: () => this.#keyring.newKeys(signal),
        ...hooks,
      },
      {
        signal,
        guard,
        report: (event) => logEvent(log, "deltas", event),
        passphrase: () => this.#parts.passphrase(signal),
      },
    );
    const { stream, keys, revision, compactRevision, clusterId, digest } = made;
    return {
      ...{ revision, compactRevision, clusterId, digest },
      name: stream.text,
      keys: this.#keyring.streamOf(keys),
      sites: [
        ...(made.inPrimary ? (["primary"] as const) : []),
        ...(made.inSecondary ? (["secondary"] as const) : []),
      ],
    };
  }

  async #prove(snapshot: string, signal: AbortSignal): Promise<ProofResult> {
    const { sites, options, log, passphrase } = this.#parts;
    const { primary, secondary } = sites.stores;
    const isUp = sites.secondary?.breaker === "closed";
    const stores = [primary, ...(secondary !== undefined && isUp ? [secondary] : [])];
    const { spoolDir } = options().backup;
    const location = {
      kind: "snapshot" as const,
      stores: stores.map(({ config }) => config),
      snapshot: "latest",
    };
    const context = {
      signal,
      report: (event: OperationEvent) => logEvent(log, "deltas", event),
      passphrase: () => passphrase(signal),
    };
    return await withHistory({ location }, context, async (access) => {
      const proof = await proveBase({ ...access, spoolDir }, snapshot, context);
      switch (proof.outcome) {
        // A merged one is compared only after one that it was proven to lead to.
        case "merged":
        case "proven":
          return {
            outcome: "proven",
            name: proof.older,
            older: proof.first - 1,
            last: proof.last,
          };
        case "differs": {
          const message = proof.difference ?? "it differs from the log";
          return { outcome: "differs", older: proof.first - 1, message };
        }
        case "no-log": {
          const message = `deltas are missing between ${proof.older} and it`;
          return { outcome: "no-log", older: proof.first - 1, message };
        }
        case "another-history":
        case "nothing-before":
          return { outcome: "nothing-before" };
      }
    });
  }

  #events(pins: SitePins, signal: AbortSignal): TermEvents {
    const { log, metrics, changed } = this.#parts;
    return {
      changed,
      received: (revisions) => metrics.deltaRevisions(revisions),
      streamBegun: (stream) => {
        log.info({ stream }, "A stream of deltas begins");
        pins.pin(stream, signal);
      },
      wentOn: (position) => this.#proof.wentOn(position),
      sealed: (position) => this.#proof.sealed(position),
      baseMade: ({ name: stream, revision, digest, clusterId }, reason, lost) => {
        log.info({ stream, revision }, "A stream of deltas has a base");
        metrics.deltaBaseMade();
        this.#proof.baseMade({ revision, digest, clusterId });
        if (lost !== undefined) log.error({ ...lost }, `Revisions of etcd are lost: ${reason}`);
        this.#lastBreak = { at: new Date().toISOString(), reason, ...(lost && { lost }) };
        changed();
      },
      failed: (error) => this.#failed(error),
      warned: (message) => log.warn(message),
      stored: (site, delta) => {
        this.#toldMs.delete(site);
        this.#proof.stored(delta.last);
        this.#stored[site].add(delta);
        metrics.deltaStored(site, delta.bytes.length);
        changed();
      },
      copied: (site, stream) => {
        log.info({ site, stream }, "Deltas were copied from the other store");
        changed();
      },
      siteFailed: (site, error) => this.#siteFailed(site, error),
    };
  }

  #failed(error: unknown): void {
    this.#parts.onFailed(failureOf("deltas", error));
    // A fault of this program: the stack says where.
    if (!(error instanceof BackupToolError)) {
      const stack = error instanceof Error ? error.stack : undefined;
      this.#parts.log.error({ job: "deltas", stack }, "Fault");
    }
  }

  /** It is tried again and again, which needs no line of its own each time. */
  #siteFailed(site: SiteName, error: unknown): void {
    const now = performance.now();
    if (now - (this.#toldMs.get(site) ?? Number.NEGATIVE_INFINITY) < TOLD_EVERY_MS) return;
    this.#toldMs.set(site, now);
    if (error instanceof BackupToolError && error.code === "BREAKER_OPEN") {
      this.#parts.log.warn({ site, reason: errorMessage(error) }, "Deltas wait for the store");
    } else this.#failed(atSite(site, error));
  }
}
