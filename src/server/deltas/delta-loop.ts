import { errorMessage } from "../../errors.js";
import { type Clock, systemClock } from "../../flow/sleep.js";
import type { EtcdChange } from "../../sources/etcd/history.js";
import type { Site as SiteName } from "../status.js";
import type { QueueFile } from "./batch-file.js";
import { DeltaCollector, type DeltaLimits } from "./delta-collector.js";
import type { StreamKeys } from "./delta-stream.js";
import type { Durability } from "./durability.js";
import { HeldWatch } from "./held-watch.js";
import type { HistorySink, HistoryWatch, NewestWatch, WatchEnd } from "./history-watch.js";
import { LogBroken } from "./log-broken.js";
import type { Outbox } from "./outbox.js";
import type { RevisionRange } from "./revision-ranges.js";
import { type BegunStream, type LogPosition, StreamWriter } from "./stream-writer.js";

/** Time between two looks at the revision of etcd, ms. */
const LOOK_MS = 10_000;
/** Waits after failures in a row, ms. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
/** Waits before the second base in a row, ms: a raw snapshot may have gigabytes. */
const FIRST_BASE_WAIT_MS = 30_000;
const LONGEST_BASE_WAIT_MS = 15 * 60_000;
/** Of a login that may not read all keys, ms. */
const DENIED_WAIT_MS = 60_000;

/** The log in the stores: where it ends, or why no watch can go on with it. */
export type LogEnd = { readonly position: LogPosition } | BrokenLog;

interface BrokenLog {
  readonly reason: string;
  /** Where it ended; undefined where that is of another history, or there was none. */
  readonly last: number | undefined;
}

/** A raw snapshot that was made as the base of a new stream. */
export interface MadeBase {
  readonly name: string;
  readonly keys: StreamKeys;
  readonly revision: number;
  readonly clusterId: string;
  /** Of the changes of its revision; undefined where that is compacted. */
  readonly digest: Uint8Array | undefined;
  /** Of etcd at that time; 0: none. */
  readonly compactRevision: number;
  /** Where it is complete. */
  readonly sites: readonly SiteName[];
}

export interface LoopParts {
  findEnd(signal: AbortSignal): Promise<LogEnd>;
  openWatch(after: LogPosition, signal: AbortSignal): Promise<HistoryWatch>;
  /** Of what is written from now on, the last revision included. */
  openNewest(signal: AbortSignal): Promise<NewestWatch>;
  /** For revisions that wait until a base is stored. */
  openQueueFile(): Promise<QueueFile>;
  endOf(error: unknown): WatchEnd;
  openStream(signal: AbortSignal): Promise<StreamKeys>;
  /** @param onRead the database of etcd was read */
  makeBase(onRead: () => void, signal: AbortSignal): Promise<MadeBase>;
  digestOf(changes: readonly EtcdChange[]): Uint8Array;
  limits(): DeltaLimits;
  /** Of a new stream, after all others: seconds since 1970. */
  nameTime(): number;
  readonly sites: readonly SiteName[];
  readonly outbox: Outbox;
  readonly durability: Durability;
  readonly events: LoopEvents;
  readonly clock?: Clock | undefined;
}

export interface LoopEvents {
  changed(): void;
  received(revisions: number): void;
  /** The log in the stores goes on from here. */
  wentOn(position: LogPosition): void;
  /** A delta up to here is on its way to the stores. */
  sealed(position: LogPosition): void;
  streamBegun(name: string): void;
  /** @param lost revisions that neither the log nor the base has */
  baseMade(base: MadeBase, reason: string, lost: RevisionRange | undefined): void;
  failed(error: unknown): void;
  warned(message: string): void;
}

export type LoopState = "starting" | "base" | "following" | "denied" | "failing";

/**
 * Follows etcd from where the log in the stores ends, as long as its signal permits, and begins anew with a base where
 * the log cannot go on.
 */
export class DeltaLoop {
  readonly #parts: LoopParts;
  readonly #clock: Clock;
  readonly #drained = new AbortController();
  #state: LoopState = "starting";
  #position: LogPosition | undefined;
  /** Why the log needs a base, and where it ended. */
  #broken: BrokenLog | undefined;
  /** A stream with a base and no delta yet. */
  #begun: BegunStream | undefined;
  /** Has watched since before the base was made. */
  #held: HeldWatch | undefined;
  #session:
    | {
        readonly collector: DeltaCollector;
        readonly writer: StreamWriter;
        readonly watch: HistoryWatch;
      }
    | undefined;
  #awaited:
    | { readonly session: object; readonly revision: number; readonly then: () => void }
    | undefined;
  #etcdRevision: number | undefined;
  /** Reads of the whole database without a revision after them, whether a base came of them or not. */
  #basesInARow = 0;

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
  }

  get state(): LoopState | "paused" {
    return this.#state === "following" && this.#session?.collector.isPaused
      ? "paused"
      : this.#state;
  }

  /** The stream that is written; undefined before its first delta. */
  get stream(): string | undefined {
    return this.#session?.writer.stream;
  }

  /** The last revision that the watch has handed over. */
  get covered(): number | undefined {
    return this.#session?.collector.last ?? this.#position?.revision;
  }

  /** Of etcd, when it was asked last. */
  get etcdRevision(): number | undefined {
    return this.#etcdRevision;
  }

  /** Writes what has been taken so far. False while nothing is followed. */
  flush(): boolean {
    const session = this.#session;
    // A failure ends the session, which reports it.
    session?.collector.flush().catch(() => {});
    return session !== undefined;
  }

  /** Takes nothing more from etcd, writes what was taken, and lets `run` end. */
  drain(): void {
    this.#drained.abort();
  }

  /** The watch of now; undefined while there is none. */
  get session(): object | undefined {
    return this.#session;
  }

  /** Calls `then` once this watch, and no other, has handed over the revision. */
  whenRead(session: object, revision: number, then: () => void): void {
    if (session !== this.#session) return;
    this.#awaited = { session, revision, then };
    this.#checkAwaited();
  }

  /** Another stream begins right after the revision, or after the delta that has it. */
  endStreamAfter(revision: number): void {
    this.#session?.writer.endStreamAfter(revision);
  }

  #checkAwaited(): void {
    const awaited = this.#awaited;
    if (awaited === undefined) return;
    if (awaited.session !== this.#session) this.#awaited = undefined;
    else if ((this.covered ?? 0) >= awaited.revision) {
      this.#awaited = undefined;
      awaited.then();
    }
  }

  /** Resolves once the signal has aborted, or after `drain`. */
  async run(signal: AbortSignal): Promise<void> {
    const stopped = AbortSignal.any([signal, this.#drained.signal]);
    for (let failures = 0; !stopped.aborted; ) {
      try {
        await this.#begin(stopped);
        await this.#follow(signal, () => {
          failures = 0;
          this.#basesInARow = 0;
        });
      } catch (error) {
        if (stopped.aborted) return;
        const waitMs = this.#waitAfter(error, failures++);
        this.#parts.events.changed();
        await this.#clock.sleep(waitMs, stopped).catch(() => {});
      }
    }
  }

  /** Finds the end of the log, or makes a base where it cannot go on. */
  async #begin(signal: AbortSignal): Promise<void> {
    const { findEnd, makeBase, durability, events, outbox, sites } = this.#parts;
    if (this.#position === undefined && this.#broken === undefined) {
      this.#enter("starting");
      const end = await findEnd(signal);
      if ("position" in end) {
        this.#position = end.position;
        events.wentOn(end.position);
      } else this.#broken = end;
    }
    if (this.#broken === undefined) return;
    this.#enter("base");
    const { reason, last } = this.#broken;
    events.warned(`a raw snapshot of etcd begins another stream, since ${reason}`);
    const heldSinceMs = this.#clock.now();
    this.#held = await this.#hold(signal);
    let base: MadeBase;
    try {
      base = await makeBase(() => this.#basesInARow++, signal);
    } catch (error) {
      this.#closeHeld();
      throw error;
    }
    const { name, keys, revision } = base;
    const isNext = last !== undefined && last < revision;
    const hole = isNext ? { from: last + 1, to: revision, reason } : undefined;
    durability.restart(this.#clock.now());
    // What has come meanwhile is older than now.
    if (this.#held !== undefined) durability.answered(this.#held.last, heldSinceMs);
    durability.received(revision, this.#clock.now());
    for (const site of sites) {
      if (base.sites.includes(site)) durability.log(site).addBase(revision);
      else outbox.lack(site, name);
    }
    this.#position = { revision, digest: base.digest, clusterId: base.clusterId };
    this.#begun = { name, keys, hole };
    this.#broken = undefined;
    events.baseMade(base, reason, lostBefore(base, last));
  }

  /** Undefined where etcd cannot be watched now: then the watch is opened after the base. */
  async #hold(signal: AbortSignal): Promise<HeldWatch | undefined> {
    const { openNewest, openQueueFile, digestOf, limits, durability } = this.#parts;
    const parts = {
      ...{ openNewest, digestOf, openFile: openQueueFile, memoryBytes: () => limits().bytes },
      arrived: (revision: number) => {
        // While the base is made, no time counts but that of its beginning.
        if (this.#broken === undefined) durability.answered(revision, this.#clock.now());
      },
    };
    return await HeldWatch.begin(parts, signal).catch(() => undefined);
  }

  #closeHeld(): void {
    this.#held?.close();
    this.#held = undefined;
  }

  async #openWatch(after: LogPosition, signal: AbortSignal): Promise<HistoryWatch> {
    const held = this.#held;
    this.#held = undefined;
    const goesOn = await held?.after(after, signal);
    if (goesOn !== undefined) return goesOn;
    // No other watch can show that it follows a base whose own revision is compacted.
    if (after.digest === undefined) this.#begun = undefined;
    return await this.#parts.openWatch(after, signal);
  }

  /** Watches until that fails. What was taken is written before, unless the signal has aborted. */
  async #follow(signal: AbortSignal, onTaken: () => void): Promise<void> {
    const { limits, outbox, durability, events } = this.#parts;
    const after = this.#position;
    if (after === undefined) return;
    const ended = new AbortController();
    const inner = AbortSignal.any([signal, this.#drained.signal, ended.signal]);
    const watch = await this.#openWatch(after, inner);
    const writer = this.#newWriter(watch, after, signal);
    const collector = new DeltaCollector(after.revision, {
      limits,
      clock: this.#clock,
      write: async (revisions) => {
        for (const part of writer.parts(revisions)) {
          const delta = await writer.seal(part);
          events.sealed(writer.last);
          await outbox.push(delta, signal);
        }
        events.changed();
      },
    });
    this.#session = { collector, writer, watch };
    this.#enter("following");
    const sink: HistorySink = {
      revisions: async (batch) => {
        const last = batch.at(-1);
        if (last === undefined) return;
        durability.received(last.revision, this.#clock.now());
        events.received(batch.length);
        onTaken();
        const taken = collector.revisions(batch);
        this.#checkAwaited();
        await taken;
      },
    };
    const loops = [watch.run(sink), collector.run(inner), this.#lookAt(watch, inner)];
    try {
      await Promise.race(loops);
    } finally {
      ended.abort();
      // A watch that waits in the collector ends with it.
      await collector.flush().catch(() => {});
      await Promise.allSettled(loops);
      watch.close();
      this.#position = writer.last;
      // Its keys have been used, or the next watch cannot show that it follows the base.
      if (writer.stream !== undefined || after.digest === undefined) this.#begun = undefined;
      this.#session = undefined;
    }
  }

  #newWriter(watch: HistoryWatch, after: LogPosition, signal: AbortSignal): StreamWriter {
    const { openStream, digestOf, nameTime, events } = this.#parts;
    let compactRevision = 0;
    return new StreamWriter(
      {
        openStream: () => openStream(signal),
        digestOf,
        clusterId: () => watch.clusterId,
        compactRevision: async () => {
          // While etcd does not answer, what it said last is right or too low, which a restore allows for.
          compactRevision = await watch.compactRevision(signal).catch(() => compactRevision);
          return compactRevision;
        },
        isStartProven: () => watch.isStartProven,
        nameTime,
        onBegun: (name) => {
          watch.forgetLeases();
          events.streamBegun(name);
        },
        onNotOpened: (error) =>
          events.warned(`the stream goes on, since another one has no key: ${errorMessage(error)}`),
      },
      after,
      this.#begun,
    );
  }

  async #lookAt(watch: HistoryWatch, signal: AbortSignal): Promise<never> {
    const { durability, events } = this.#parts;
    for (;;) {
      const askedMs = this.#clock.now();
      try {
        const revision = await watch.currentRevision(signal);
        this.#etcdRevision = revision;
        durability.answered(revision, askedMs);
        events.changed();
      } catch {
        // The watch reports an etcd that does not answer; the age of what is not durable grows.
      }
      await this.#clock.sleep(LOOK_MS, signal);
    }
  }

  /** Decides how to go on after a failure. Returns the wait before that, ms. */
  #waitAfter(error: unknown, failures: number): number {
    const { endOf, events } = this.#parts;
    const end: WatchEnd =
      error instanceof LogBroken
        ? { kind: "broken", reason: error.reason, isOtherHistory: false }
        : endOf(error);
    if (end.kind === "broken") {
      const last = end.isOtherHistory ? undefined : this.#position?.revision;
      this.#broken = { reason: end.reason, last };
      return this.#baseWaitMs;
    }
    events.failed(error);
    this.#enter(end.kind === "denied" ? "denied" : "failing");
    if (end.kind === "denied") return DENIED_WAIT_MS;
    const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
    return this.#broken === undefined ? waitMs : Math.max(waitMs, this.#baseWaitMs);
  }

  /** Before another base: they must not be made over and over. */
  get #baseWaitMs(): number {
    const bases = this.#basesInARow;
    if (bases === 0) return 0;
    return Math.min(LONGEST_BASE_WAIT_MS, FIRST_BASE_WAIT_MS * 2 ** (bases - 1));
  }

  #enter(state: LoopState): void {
    this.#state = state;
    this.#parts.events.changed();
  }
}

/** A raw snapshot holds what etcd was at its compact revision, and at each one after. */
function lostBefore(
  { compactRevision }: MadeBase,
  last: number | undefined,
): RevisionRange | undefined {
  if (last === undefined || last + 1 >= compactRevision) return undefined;
  return { first: last + 1, last: compactRevision - 1 };
}
