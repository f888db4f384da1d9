import { raceAbort } from "../../flow/race-abort.js";
import { Waiters } from "../../flow/waiters.js";
import type { Site as SiteName } from "../status.js";

/** A delta as it is stored. */
export interface SealedDelta {
  /** Name of its stream. */
  readonly stream: string;
  readonly key: string;
  readonly first: number;
  readonly last: number;
  readonly bytes: Uint8Array;
}

/** What may wait for one site. */
export interface OutboxLimits {
  readonly bytes: number;
  readonly deltas: number;
}

interface Entry {
  readonly delta: SealedDelta;
  /** Sites whose put has returned. */
  readonly at: Set<SiteName>;
}

interface Queue {
  readonly entries: Entry[];
  bytes: number;
  /** Streams of deltas that were dropped, since another site has them. */
  readonly lacking: Set<string>;
}

/**
 * Deltas on their way to the sites, a queue for each. What a site is too slow or too long down for is dropped from its
 * queue as soon as another site has it, and is then to be copied from there; what no site has is never dropped.
 */
export class Outbox {
  readonly #limits: OutboxLimits;
  readonly #queues: ReadonlyMap<SiteName, Queue>;
  readonly #changed = new Waiters();
  /** Of the newest delta of the history that is followed. */
  #pushed: number | undefined;

  constructor(sites: readonly SiteName[], limits: OutboxLimits) {
    this.#limits = limits;
    this.#queues = new Map(
      sites.map((site) => [site, { entries: [], bytes: 0, lacking: new Set<string>() }]),
    );
  }

  /** Queues a delta for all sites. Waits before that while a queue is full of what no site has. */
  async push(delta: SealedDelta, signal: AbortSignal): Promise<void> {
    while (!this.#makeRoom()) await raceAbort(this.#changed.wait(), signal);
    const entry: Entry = { delta, at: new Set() };
    for (const queue of this.#queues.values()) {
      queue.entries.push(entry);
      queue.bytes += delta.bytes.length;
    }
    this.#pushed = delta.last;
    this.#changed.wakeAll();
  }

  /** Another history begins, which may have the same revisions. */
  begin(): void {
    this.#pushed = undefined;
  }

  /** Whether deltas up to a revision were queued, and none of them is still to come to the site. */
  hasSettled(site: SiteName, revision: number): boolean {
    if (this.#pushed === undefined || this.#pushed < revision || this.isLacking(site)) return false;
    return this.#queue(site).entries.every(({ delta }) => delta.first > revision);
  }

  /** The oldest delta that waits for the site; waits for one. */
  async next(site: SiteName, signal: AbortSignal): Promise<SealedDelta> {
    for (;;) {
      const first = this.#queue(site).entries[0];
      if (first !== undefined) return first.delta;
      await raceAbort(this.#changed.wait(), signal);
    }
  }

  /** The put of a delta that `next` gave has returned. */
  stored(site: SiteName, delta: SealedDelta): void {
    for (const { entries } of this.#queues.values()) {
      entries.find((entry) => entry.delta === delta)?.at.add(site);
    }
    const queue = this.#queue(site);
    // It may have been dropped meanwhile.
    if (queue.entries[0]?.delta === delta) this.#shift(queue);
    this.#changed.wakeAll();
  }

  waiting(site: SiteName): OutboxLimits {
    const { entries, bytes } = this.#queue(site);
    return { deltas: entries.length, bytes };
  }

  /** Streams of which the site lacks deltas that another one has; waits for one. */
  async lacking(site: SiteName, signal: AbortSignal): Promise<readonly string[]> {
    for (;;) {
      const { lacking } = this.#queue(site);
      if (lacking.size > 0) return [...lacking];
      await raceAbort(this.#changed.wait(), signal);
    }
  }

  isLacking(site: SiteName): boolean {
    return this.#queue(site).lacking.size > 0;
  }

  /** A site lacks files of a stream that another one has. */
  lack(site: SiteName, stream: string): void {
    this.#queue(site).lacking.add(stream);
    this.#changed.wakeAll();
  }

  /** Forgets what `lacking` says of a stream: it is about to be copied, and what is dropped from now on counts anew. */
  takeLack(site: SiteName, stream: string): void {
    this.#queue(site).lacking.delete(stream);
  }

  /** Resolves when each delta is at one site at least. */
  async safe(signal: AbortSignal): Promise<void> {
    while ([...this.#queues.values()].some(({ entries }) => entries.some(isNowhere))) {
      await raceAbort(this.#changed.wait(), signal);
    }
  }

  /** Resolves when nothing waits for any of the sites. */
  async empty(sites: readonly SiteName[], signal: AbortSignal): Promise<void> {
    while (sites.some((site) => this.#queue(site).entries.length > 0)) {
      await raceAbort(this.#changed.wait(), signal);
    }
  }

  /** Whether every queue has room for another delta, after dropping what another site has. */
  #makeRoom(): boolean {
    let hasRoom = true;
    for (const queue of this.#queues.values()) {
      while (this.#isFull(queue)) {
        const [oldest] = queue.entries;
        if (oldest === undefined || oldest.at.size === 0) {
          hasRoom = false;
          break;
        }
        queue.lacking.add(oldest.delta.stream);
        this.#shift(queue);
        this.#changed.wakeAll();
      }
    }
    return hasRoom;
  }

  #isFull({ entries, bytes }: Queue): boolean {
    return bytes >= this.#limits.bytes || entries.length >= this.#limits.deltas;
  }

  #shift(queue: Queue): void {
    queue.bytes -= queue.entries.shift()?.delta.bytes.length ?? 0;
  }

  #queue(site: SiteName): Queue {
    const queue = this.#queues.get(site);
    if (queue === undefined) throw new Error(`no queue of the site ${site}`);
    return queue;
  }
}

function isNowhere({ at }: Entry): boolean {
  return at.size === 0;
}
