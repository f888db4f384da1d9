import { deltaName } from "../../snapshots/streams/delta-name.js";
import { streamName } from "../../snapshots/streams/stream-name.js";
import type { EtcdChange, EtcdRevision } from "../../sources/etcd/history.js";
import type { DeltaSealer, LogHole, StreamKeys } from "./delta-stream.js";
import { LogBroken } from "./log-broken.js";
import type { SealedDelta } from "./outbox.js";

/** A revision up to which the log is, and a digest of its changes. */
export interface LogPosition {
  readonly revision: number;
  /** Undefined for that of a base at which etcd was compacted. */
  readonly digest: Uint8Array | undefined;
  /** Hexadecimal. */
  readonly clusterId: string | undefined;
}

/** A stream with a base and no delta yet. */
export interface BegunStream {
  readonly name: string;
  readonly keys: StreamKeys;
  readonly hole: LogHole | undefined;
}

interface WriterParts {
  /** Keys for another stream. */
  openStream(): Promise<StreamKeys>;
  digestOf(changes: readonly EtcdChange[]): Uint8Array;
  clusterId(): string;
  compactRevision(): Promise<number>;
  /** Whether etcd has shown the revision at which the writer began, with the same changes. */
  isStartProven(): boolean;
  /** Of a new stream, seconds since 1970. */
  nameTime(): number;
  /** A stream gets its first delta. */
  onBegun(stream: string): void;
  /** Another stream was wanted, and there are no keys for it: the one before goes on. */
  onNotOpened(error: unknown): void;
}

interface OpenStream {
  readonly name: string;
  readonly sealer: DeltaSealer;
}

/** Time between two tries to begin another stream while the one before can go on, ms. */
const TRY_AGAIN_MS = 60_000;

/** Seals consecutive revisions as deltas. A stream gets its name, and exists, with its first delta. */
export class StreamWriter {
  readonly #parts: WriterParts;
  #begun: BegunStream | undefined;
  #current: OpenStream | undefined;
  /** Another stream begins with the first delta after this revision. */
  #endsAfter = Number.POSITIVE_INFINITY;
  #triedMs = Number.NEGATIVE_INFINITY;
  #last: LogPosition;
  #isLastSeen = false;

  /** @param after where the log ends */
  constructor(parts: WriterParts, after: LogPosition, begun?: BegunStream) {
    this.#parts = parts;
    this.#last = after;
    this.#begun = begun;
  }

  /** The last revision that is in a delta. */
  get last(): LogPosition {
    return this.#last;
  }

  /** Name of the stream that is being written; undefined before its first delta. */
  get stream(): string | undefined {
    return this.#current?.name;
  }

  /** The first delta after this revision begins another stream. */
  endStreamAfter(revision: number): void {
    this.#endsAfter = revision;
  }

  /** Revisions for one delta each: another stream begins right after the revision that ends this one. */
  parts(revisions: readonly EtcdRevision[]): readonly (readonly EtcdRevision[])[] {
    const at = revisions.findIndex(({ revision }) => revision > this.#endsAfter);
    return at > 0 ? [revisions.slice(0, at), revisions.slice(at)] : [revisions];
  }

  /**
   * @param revisions at least one, the first right after the last that was sealed
   * @throws LogBroken where etcd has not shown that the log goes on
   */
  async seal(revisions: readonly EtcdRevision[]): Promise<SealedDelta> {
    const [first, last] = [revisions[0], revisions.at(-1)];
    if (first === undefined || last === undefined) throw new RangeError("no revisions");
    if (first.revision !== this.#last.revision + 1) {
      throw new RangeError(`revision ${first.revision} after ${this.#last.revision}`);
    }
    const { name, sealer } = await this.#streamFor(first.revision);
    const { digestOf, compactRevision, clusterId } = this.#parts;
    const sealed = await sealer.seal(revisions, await compactRevision());
    this.#last = {
      revision: last.revision,
      digest: digestOf(last.changes),
      clusterId: clusterId(),
    };
    this.#isLastSeen = true;
    const key = `${name}/${deltaName(sealed)}`;
    return { stream: name, key, first: sealed.first, last: sealed.last, bytes: sealed.bytes };
  }

  async #streamFor(firstRevision: number): Promise<OpenStream> {
    const { clusterId, onBegun } = this.#parts;
    const current = this.#current;
    const isOver = firstRevision > this.#endsAfter;
    const isTime = isOver && performance.now() - this.#triedMs >= TRY_AGAIN_MS;
    if (current !== undefined && !isTime && !current.sealer.isFull) return current;
    const next = await this.#nextStream(firstRevision);
    if ("sealer" in next) return next;
    const { name, keys, hole = null } = next;
    const before = this.#before();
    const facts = { stream: name, clusterId: clusterId(), firstRevision, before, hole };
    this.#current = { name, sealer: keys.begin(facts) };
    this.#begun = undefined;
    if (firstRevision > this.#endsAfter) this.#endsAfter = Number.POSITIVE_INFINITY;
    onBegun(name);
    return this.#current;
  }

  /** Another stream; the current one where that has to go on. */
  async #nextStream(firstRevision: number): Promise<BegunStream | OpenStream> {
    const current = this.#current;
    if (this.#begun !== undefined) return this.#begun;
    try {
      const keys = await this.#parts.openStream();
      const time = this.#parts.nameTime();
      const { text: name } = streamName({ firstRevision, time, id: keys.id });
      return { name, keys, hole: undefined };
    } catch (error) {
      if (current === undefined || current.sealer.isFull) throw error;
      this.#triedMs = performance.now();
      this.#parts.onNotOpened(error);
      return current;
    }
  }

  /**
   * The digest before the first revision of a stream: one that does not show that it follows the log or its base could be
   * of another history. Null right after a base whose own revision is compacted.
   */
  #before(): Uint8Array | null {
    const { revision, digest } = this.#last;
    if (digest === undefined && this.#begun !== undefined) return null;
    if (digest === undefined)
      throw new LogBroken(`the changes of revision ${revision} are unknown`);
    if (this.#isLastSeen || this.#parts.isStartProven()) return digest;
    throw new LogBroken(`etcd does not have revision ${revision} any more to compare it`);
  }
}
