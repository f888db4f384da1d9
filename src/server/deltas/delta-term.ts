import { ArchiveError } from "../../archive/errors.js";
import { InterruptedError } from "../../errors.js";
import { type Clock, systemClock } from "../../flow/sleep.js";
import { LogError } from "../../snapshots/streams/log-errors.js";
import type { StoredStream } from "../../snapshots/streams/stored-stream.js";
import { parseStreamName } from "../../snapshots/streams/stream-name.js";
import type { Site as SiteName } from "../status.js";
import { DeltaLoop, type LogEnd, type LoopEvents, type LoopParts } from "./delta-loop.js";
import { Durability } from "./durability.js";
import type { StoredDeltas } from "./log-proof.js";
import { Outbox, type OutboxLimits, type SealedDelta } from "./outbox.js";
import { type DeltaSite, SiteSender } from "./site-sender.js";
import { deltaTimes, type ListedHistory, storedLog } from "./stored-log.js";
import type { LogPosition } from "./stream-writer.js";

/** Time for one site to get what the other one has, at the end of a term, ms. Later it is copied. */
const OTHER_SITE_MS = 10_000;
const NOTHING: ListedHistory = { snapshots: [], streams: [], bases: [] };

/** Where deltas come from and go to, for one term of this server as the leader. */
export interface TermParts
  extends Pick<
    LoopParts,
    "openWatch" | "openNewest" | "openQueueFile" | "endOf" | "openStream" | "digestOf" | "limits"
  > {
  readonly sites: readonly DeltaSite[];
  /** What the sites hold, without those that cannot be listed now. Throws if none can. */
  list(signal: AbortSignal): Promise<ReadonlyMap<SiteName, ListedHistory>>;
  /**
   * The position of a log that ends with a revision; undefined if no delta ends with it. Throws ArchiveError or LogError
   * for a delta that cannot be opened.
   */
  readEnd(
    revision: number,
    listed: ReadonlyMap<SiteName, ListedHistory>,
    signal: AbortSignal,
  ): Promise<LogPosition | undefined>;
  /** @param nameTime of the stream, seconds since 1970 */
  makeBase(
    nameTime: number,
    onRead: () => void,
    signal: AbortSignal,
  ): ReturnType<LoopParts["makeBase"]>;
  /** Names of the streams that a site is to have; undefined: of all. */
  wanted?(
    site: SiteName,
    listed: ReadonlyMap<SiteName, ListedHistory>,
  ): ReadonlySet<string> | undefined;
  readonly outbox: OutboxLimits;
  readonly events: TermEvents;
  readonly clock?: Clock | undefined;
  /** Since when nothing has been written, by the clock; the beginning of the term if it is absent. */
  readonly sinceMs?: number | undefined;
  /** The time of day, ms since 1970. */
  readonly wallMs?: (() => number) | undefined;
}

export interface TermEvents extends LoopEvents {
  stored(site: SiteName, delta: SealedDelta): void;
  copied(site: SiteName, stream: string): void;
  /** Something is tried again. */
  siteFailed(site: SiteName, error: unknown): void;
}

/** What a full backup has to be compared with at its end. */
export interface FullBegun {
  readonly session: object | undefined;
  /** Start of the last base, as in the term. */
  readonly sinceSeconds: number;
}

/** The log of etcd while this server leads: what is read of it, and how far it is at each site. */
export class DeltaTerm {
  readonly loop: DeltaLoop;
  readonly durability: Durability;
  readonly outbox: Outbox;
  readonly #parts: TermParts;
  readonly #clock: Clock;
  readonly #sites: readonly SiteName[];
  /** What the last listing of each site and the copies since then show. */
  readonly #listings = new Map<SiteName, ListedHistory>();
  readonly #listed = new Set<SiteName>();
  /** The latest time in the names of streams and deltas that are known, seconds since 1970. */
  #newestTime = 0;
  /** Start of the last base that was made in this term: older streams and backups can be of another history. */
  #sinceSeconds = 0;
  #drained = false;

  constructor(parts: TermParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
    this.#sites = parts.sites.map(({ name }) => name);
    this.outbox = new Outbox(this.#sites, parts.outbox);
    this.durability = new Durability(this.#sites, this.#clock.now(), parts.sinceMs);
    this.loop = new DeltaLoop({
      ...parts,
      findEnd: (signal) => this.#findEnd(signal),
      makeBase: (onRead, signal) => this.#makeBase(onRead, signal),
      nameTime: () => this.#nameTime(),
      sites: this.#sites,
      outbox: this.outbox,
      durability: this.durability,
      clock: this.#clock,
    });
  }

  /** Resolves after `drain`; throws InterruptedError or NotLeaderError where the term ends before. */
  async run(signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const inner = AbortSignal.any([signal, ended.signal]);
    const senders = this.#parts.sites.map((site) => this.#send(site, inner));
    const all = [this.#follow(inner), ...senders];
    try {
      await Promise.race(all);
    } finally {
      ended.abort();
      await Promise.allSettled(all);
    }
  }

  /** Takes nothing more from etcd, writes what was taken, and lets `run` end once a site has it. */
  drain(): void {
    this.#drained = true;
    this.loop.drain();
  }

  get isDrained(): boolean {
    return this.#drained;
  }

  /** A full backup begins. To be given to {@link fullMade}. */
  fullBegun(): FullBegun {
    return { session: this.loop.session, sinceSeconds: this.#sinceSeconds };
  }

  /** Whether no base was made since the full backup began: it can be of the history before. */
  isOfNow({ sinceSeconds }: FullBegun): boolean {
    return sinceSeconds === this.#sinceSeconds;
  }

  /**
   * A full backup has a raw snapshot of this revision. It is a base of the log once the watch that ran when the backup began
   * has reached the revision: another watch may have another history of etcd.
   */
  fullMade({ session }: FullBegun, revision: number, sites: readonly SiteName[]): void {
    if (session === undefined) return;
    this.loop.whenRead(session, revision, () => {
      for (const site of sites) this.durability.log(site).addBase(revision);
      this.loop.endStreamAfter(revision);
      this.loop.flush();
    });
  }

  /** Whether one of the sites has all revisions up to this one already. */
  isDurable(revision: number, sites: readonly SiteName[]): boolean {
    return sites.some((site) => (this.durability.log(site).durable ?? -1) >= revision);
  }

  /** What of the log is at one of these sites. */
  storedDeltas(sites: readonly SiteName[]): StoredDeltas {
    return {
      hasSettled: (revision) =>
        sites.some(
          (site) =>
            this.durability.log(site).reaches(revision) || this.outbox.hasSettled(site, revision),
        ),
      // Before the first look at the stores nothing is known of them.
      holdsAnyUpTo: (revision) =>
        this.loop.covered === undefined ||
        this.#sites.some((site) => this.durability.log(site).holdsAnyUpTo(revision)),
    };
  }

  listingBegun(site: SiteName): void {
    this.durability.log(site).listingBegun();
  }

  /** The listing of a site that was begun last has succeeded. */
  listed(site: SiteName, history: ListedHistory): void {
    const isFirst = !this.#listed.has(site);
    this.#listed.add(site);
    this.#listings.set(site, history);
    this.#note(history);
    const { held, lacking } = storedLog(this.#listings, this.#sinceSeconds);
    const log = held.get(site);
    if (log !== undefined) this.durability.log(site).listed(log);
    // Later, what a listing lacks may be on its way.
    if (isFirst) this.#lack(site, lacking.get(site) ?? [], this.#listings);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    await this.loop.run(signal);
    if (signal.aborted || !this.#drained) throw new InterruptedError();
    await this.outbox.safe(signal);
    const ended = new AbortController();
    const inner = AbortSignal.any([signal, ended.signal]);
    const all = [this.outbox.empty(this.#sites, inner), this.#clock.sleep(OTHER_SITE_MS, inner)];
    try {
      await Promise.race(all);
    } finally {
      ended.abort();
      await Promise.allSettled(all);
    }
  }

  #send(site: DeltaSite, signal: AbortSignal): Promise<never> {
    const { events } = this.#parts;
    const other = this.#sites.find((name) => name !== site.name);
    const sender = new SiteSender(
      site,
      other,
      this.outbox,
      {
        stored: (name, delta) => {
          if (this.#isCurrent(delta.stream)) this.durability.log(name).addDelta(delta);
          events.stored(name, delta);
        },
        copied: (name, stream, held) => {
          events.copied(name, stream);
          if (held !== undefined && this.#isCurrent(stream)) this.#copied(name, held);
        },
        failed: events.siteFailed,
      },
      this.#clock,
    );
    return sender.run(signal);
  }

  /** Of a stream that was copied counts what would count if a listing showed it: it may be of an earlier history. */
  #copied(site: SiteName, stream: StoredStream): void {
    const { snapshots, streams, bases } = this.#listings.get(site) ?? NOTHING;
    const others = streams.filter(({ name }) => name.text !== stream.name.text);
    this.#listings.set(site, { snapshots, streams: [...others, stream], bases });
    const held = storedLog(this.#listings, this.#sinceSeconds).held.get(site);
    if (held === undefined) return;
    const log = this.durability.log(site);
    log.shown(held);
    // A listing that was begun before may lack it.
    for (const range of held.ranges) {
      for (const run of stream.runs) {
        log.addDelta({
          first: Math.max(range.first, run.first),
          last: Math.min(range.last, run.last),
        });
      }
    }
    for (const base of held.bases) if (base === stream.base?.revision) log.addBase(base);
  }

  async #findEnd(signal: AbortSignal): Promise<LogEnd> {
    for (const site of this.#sites) this.listingBegun(site);
    const listed = await this.#parts.list(signal);
    for (const [site, history] of listed) {
      this.#listed.add(site);
      this.#listings.set(site, history);
      this.#note(history);
    }
    const { held, end, last, lacking } = storedLog(listed);
    for (const [site, log] of held) this.durability.log(site).listed(log);
    for (const [site, streams] of lacking) this.#lack(site, streams, listed);
    this.#seeTimes(listed);
    if (end === undefined) {
      return { reason: "the stores hold no raw snapshot to go on from", last };
    }
    if (last !== undefined && last > end) {
      return { reason: `no raw snapshot is followed by the deltas up to revision ${last}`, last };
    }
    try {
      const position = await this.#parts.readEnd(end, listed, signal);
      if (position !== undefined) return { position };
      return { reason: `no delta ends with revision ${end}`, last: end };
    } catch (error) {
      if (!(error instanceof ArchiveError || error instanceof LogError)) throw error;
      return { reason: `the last delta cannot be opened (${error.message})`, last: end };
    }
  }

  /** What a site lacks of the log is as old as it is, not as this term. */
  #seeTimes(listed: ReadonlyMap<SiteName, ListedHistory>): void {
    const nowMs = this.#clock.now();
    const wallMs = (this.#parts.wallMs ?? Date.now)();
    const { periodMs } = this.#parts.limits();
    // The first revision of a delta was seen about a period before the last.
    const marks = deltaTimes(listed).map(({ last, time }) => ({
      last,
      atMs: nowMs - Math.max(0, wallMs - time * 1000 + periodMs),
    }));
    this.durability.seenBefore(marks);
  }

  #lack(
    site: SiteName,
    streams: readonly string[],
    listed: ReadonlyMap<SiteName, ListedHistory>,
  ): void {
    if (streams.length === 0) return;
    const wanted = this.#parts.wanted?.(site, listed);
    for (const stream of streams) {
      if (wanted?.has(stream) ?? true) this.outbox.lack(site, stream);
    }
  }

  async #makeBase(onRead: () => void, signal: AbortSignal): ReturnType<LoopParts["makeBase"]> {
    const time = this.#nameTime();
    const base = await this.#parts.makeBase(time, onRead, signal);
    this.#sinceSeconds = time;
    this.outbox.begin();
    this.#newestTime = Math.max(this.#newestTime, time);
    return base;
  }

  /**
   * Later than all times that are known, also where the clock was set back or another server's is ahead: after a restore of
   * etcd to its past, it alone may show that a base is of what came then.
   */
  #nameTime(): number {
    const now = Math.floor((this.#parts.wallMs ?? Date.now)() / 1000);
    this.#newestTime = now > this.#newestTime ? now : this.#newestTime + 1;
    return this.#newestTime;
  }

  /** Whether a stream is of the history that is followed now. */
  #isCurrent(stream: string): boolean {
    return (parseStreamName(stream)?.time ?? 0) >= this.#sinceSeconds;
  }

  #note({ streams }: ListedHistory): void {
    for (const { name, lastSeen = 0 } of streams) {
      this.#newestTime = Math.max(this.#newestTime, name.time, lastSeen);
    }
  }
}
