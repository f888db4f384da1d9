import { deltaName, MAX_DELTAS } from "../../snapshots/streams/delta-name.js";
import { streamName } from "../../snapshots/streams/stream-name.js";
import type { EtcdChange, EtcdRevision } from "../../sources/etcd/history.js";
import type { DeltaStream, LogHole } from "./delta-stream.js";
import type { SealedDelta } from "./outbox.js";

/** A revision up to which the log is, and a digest of its changes. */
export interface LogPosition {
  readonly revision: number;
  /** Undefined where the changes are not known. */
  readonly digest: Uint8Array | undefined;
}

/** A stream that is there already, with a base in it. */
export interface BegunStream {
  readonly name: string;
  readonly stream: DeltaStream;
  /** The revisions before the base that are lost. */
  readonly hole: LogHole | undefined;
}

interface WriterParts {
  /** Keys for another stream. */
  openStream(): Promise<DeltaStream>;
  digestOf(changes: readonly EtcdChange[]): Uint8Array;
  clusterId(): string;
  compactRevision(): Promise<number>;
  /** Whether etcd has shown the revision at which the writer began, with the same changes. */
  isStartProven(): boolean;
  /** A stream gets its first delta. */
  onBegun(stream: string): void;
  /** Another stream was wanted, and there are no keys for it: the one before goes on. */
  onNotOpened(error: unknown): void;
}

interface Current extends BegunStream {
  /** Of the next delta. */
  readonly number: number;
}

/** Time between two tries to begin another stream while the one before can go on, ms. */
const TRY_AGAIN_MS = 60_000;

/** Seals consecutive revisions as deltas. A stream gets its name, and exists, with its first delta. */
export class StreamWriter {
  readonly #parts: WriterParts;
  #current: Current | undefined;
  #wantsNext = false;
  #triedMs = Number.NEGATIVE_INFINITY;
  #last: LogPosition;
  #isLastSeen = false;

  /** @param after where the log ends */
  constructor(parts: WriterParts, after: LogPosition, begun?: BegunStream) {
    this.#parts = parts;
    this.#last = after;
    this.#current = begun && { ...begun, number: 0 };
  }

  /** The last revision that is in a delta. */
  get last(): LogPosition {
    return this.#last;
  }

  /** Name of the stream that is being written. */
  get stream(): string | undefined {
    return this.#current?.name;
  }

  /** The next delta begins another stream. */
  endStream(): void {
    // One without deltas would leave nothing to end.
    if (this.#current !== undefined && this.#current.number > 0) this.#wantsNext = true;
  }

  /** @param revisions at least one, the first right after the last that was sealed */
  async seal(revisions: readonly EtcdRevision[]): Promise<SealedDelta> {
    const [first, last] = [revisions[0], revisions.at(-1)];
    if (first === undefined || last === undefined) throw new Error("a delta without revisions");
    if (first.revision !== this.#last.revision + 1) {
      throw new Error(`revision ${first.revision} is not the one after ${this.#last.revision}`);
    }
    const current = await this.#streamFor(first.revision);
    const { number, name, stream, hole } = current;
    const { clusterId, compactRevision, digestOf, isStartProven } = this.#parts;
    const after = digestOf(last.changes);
    const bytes = await stream.seal(number, {
      clusterId: clusterId(),
      before: this.#isLastSeen || isStartProven() ? this.#last.digest : undefined,
      after,
      compactRevision: await compactRevision(),
      hole: number === 0 ? hole : undefined,
      revisions,
    });
    const time = Math.floor(last.seenMs / 1000);
    const file = deltaName({ number, first: first.revision, last: last.revision, time });
    this.#current = { ...current, number: number + 1 };
    this.#last = { revision: last.revision, digest: after };
    this.#isLastSeen = true;
    const key = `${name}/${file}`;
    return { stream: name, key, first: first.revision, last: last.revision, bytes };
  }

  async #streamFor(firstRevision: number): Promise<Current> {
    const current = this.#current;
    const isFull = current !== undefined && current.number >= MAX_DELTAS;
    const isTime = this.#wantsNext && performance.now() - this.#triedMs >= TRY_AGAIN_MS;
    if (current !== undefined && !isTime && !isFull) {
      if (current.number === 0) this.#parts.onBegun(current.name);
      return current;
    }
    let stream: DeltaStream;
    try {
      stream = await this.#parts.openStream();
    } catch (error) {
      if (current === undefined || isFull) throw error;
      this.#triedMs = performance.now();
      this.#parts.onNotOpened(error);
      return current;
    }
    this.#wantsNext = false;
    this.#triedMs = Number.NEGATIVE_INFINITY;
    const time = Math.floor(Date.now() / 1000);
    const { text: name } = streamName({ firstRevision, time, id: stream.id });
    this.#parts.onBegun(name);
    this.#current = { name, stream, hole: undefined, number: 0 };
    return this.#current;
  }
}
