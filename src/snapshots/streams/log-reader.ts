import type { PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import type { DeltaHead } from "../../archive/delta/delta-head.js";
import type { DeltaReader } from "../../archive/delta/delta-reader.js";
import type { ArchivedRevision } from "../../archive/delta/revision.js";
import { ArchiveError } from "../../archive/errors.js";
import type { SealPool } from "../../archive/seal/seal-pool.js";
import { throwIfAborted } from "../../errors.js";
import { StoreError } from "../../snapstore/errors.js";
import { DeltaFiles } from "./delta-files.js";
import { deltaName } from "./delta-name.js";
import { type Candidate, LogCandidates } from "./log-candidates.js";
import { LogError } from "./log-errors.js";
import { LogState, type LogAnchor } from "./log-state.js";
import { type LogSite, type LogStream, logStreams, type StreamCopy } from "./log-stream.js";
import { openStoredDelta } from "./open-delta.js";
import { compareStreamNames } from "./stream-name.js";

/** Revisions that are taken from one stream. */
export interface LogPart {
  /** Name of the stream. */
  readonly stream: string;
  readonly first: number;
  readonly last: number;
}

export interface LogOptions {
  /** The revision of a raw snapshot, or any other: the log begins with the next one. */
  readonly after: number;
  readonly upTo: number;
  /**
   * What is read of which stream. By default any stream serves for any revision, and one that is read is read on: after a
   * restore of etcd to the past, that can be the history from before.
   */
  readonly parts?: readonly LogPart[] | undefined;
  /** Of the raw snapshot. */
  readonly anchor?: LogAnchor;
  readonly passphrase: PassphraseKeys;
  readonly pool: SealPool;
  readonly signal: AbortSignal;
  /** Called with each delta before its first revision. */
  onDelta?(delta: OpenedDelta): void;
}

/** A delta of a log. */
export interface OpenedDelta {
  readonly stream: LogStream;
  readonly number: number;
  readonly head: DeltaHead;
  /** The copy that it is read from. */
  readonly copy: StreamCopy;
  /** Size of the file. */
  readonly bytes: number;
}

/**
 * The revisions `after` + 1 to `upTo` of etcd from the deltas of streams, whatever stream has them; some at a time, and
 * their bytes may be kept. A delta that is missing or damaged in one store is read from another one.
 *
 * Where one stream goes on for another, their deltas must prove that they are of one history: the first names the digest of
 * the revision before it, or holds that revision too. So must the first delta after an `anchor`, unless that has no digest, and the
 * delta is the first of the stream whose base it follows. Without `anchor` the first delta may be any.
 *
 * @throws LogError, or the first error of a delta that could not be read anywhere
 */
export async function* readLog(
  sites: readonly LogSite[],
  options: LogOptions,
): AsyncGenerator<readonly ArchivedRevision[], void, void> {
  const log = new LogReader(sites, options);
  try {
    yield* log.revisions();
  } finally {
    log.close();
  }
}

class LogReader {
  readonly #options: LogOptions;
  readonly #candidates: LogCandidates;
  readonly #state: LogState;
  readonly #files: DeltaFiles;
  /** Why deltas that hold the next revision cannot be used. */
  #failures: unknown[] = [];

  constructor(sites: readonly LogSite[], options: LogOptions) {
    const { after, upTo, anchor, signal } = options;
    this.#options = options;
    this.#candidates = new LogCandidates(logStreams(sites), after, upTo);
    this.#state = new LogState(after, anchor);
    this.#files = new DeltaFiles(signal);
  }

  close(): void {
    this.#files.close();
  }

  async *revisions(): AsyncGenerator<readonly ArchivedRevision[], void, void> {
    const state = this.#state;
    while (state.next <= this.#options.upTo) {
      const candidate = this.#choose();
      if (candidate === undefined) throw this.#failures[0] ?? this.#hole();
      const copies = candidate.stream.copiesOf(candidate.delta);
      let isRead = false;
      for (const copy of copies) {
        throwIfAborted(this.#options.signal);
        try {
          yield* this.#read(candidate, copy);
          this.#failures = [];
          isRead = true;
          break;
        } catch (error) {
          if (!isOfTheDelta(error)) throw error;
          this.#failures.push(error);
        }
      }
      if (!isRead || !this.#isReadAgain(candidate)) this.#candidates.drop(candidate);
    }
  }

  /** Whether a later part of the stream begins within a delta: in between, another stream is read. */
  #isReadAgain({ stream, delta }: Candidate): boolean {
    const { next } = this.#state;
    return (this.#options.parts ?? []).some(
      (part) => part.stream === stream.name.text && next <= part.first && part.first <= delta.last,
    );
  }

  /** A delta of the stream that is read, else one of the newest stream. */
  #choose(): Candidate | undefined {
    const { next, at } = this.#state;
    const holding = this.#candidates
      .holding(next)
      .filter((one) => this.#endOfPart(one.stream, next) >= next);
    const stream = at?.stream ?? this.#options.anchor?.stream;
    return (
      holding.find((one) => one.stream.name.text === stream) ??
      holding.reduce<Candidate | undefined>(
        (best, one) => (isNewer(one, best) ? one : best),
        undefined,
      )
    );
  }

  /** The last revision that is read of a stream from this one on; 0 where it is not to be read. */
  #endOfPart({ name }: LogStream, revision: number): number {
    const { upTo, parts } = this.#options;
    if (parts === undefined) return upTo;
    const part = parts.find(
      ({ stream, first, last }) => stream === name.text && first <= revision && revision <= last,
    );
    return part === undefined ? 0 : Math.min(part.last, upTo);
  }

  async *#read(
    candidate: Candidate,
    copy: StreamCopy,
  ): AsyncGenerator<readonly ArchivedRevision[], void, void> {
    const { stream, delta: listed } = candidate;
    const { onDelta } = this.#options;
    const state = this.#state;
    const upTo = this.#endOfPart(stream, state.next);
    const reader = await this.#open(candidate, copy);
    try {
      const { head } = reader;
      const { number, bytes } = listed;
      const delta = { stream: stream.name.text, file: nameOf(candidate), head };
      state.checkHead(delta);
      /** Not handed on before what comes after it was read: the last one only once the whole delta was checked. */
      let held: ArchivedRevision[] = [];
      let isAnnounced = false;
      const handOn = (): readonly ArchivedRevision[] => {
        state.advance(delta, held);
        if (!isAnnounced) onDelta?.({ stream, number, head, copy, bytes });
        isAnnounced = true;
        return held;
      };
      for await (const batch of reader.revisions()) {
        const fresh: ArchivedRevision[] = [];
        for (const revision of batch) {
          if (revision.revision < state.next) state.checkOverlap(delta, revision);
          else if (revision.revision <= upTo) fresh.push(revision);
        }
        if (fresh.length > 0) {
          if (held.length > 0) yield handOn();
          held = fresh;
        }
        // The rest of the delta is not needed, so its damage does not matter.
        if ((batch.at(-1)?.revision ?? 0) >= upTo && upTo < head.last) break;
      }
      if (held.length > 0) yield handOn();
    } finally {
      await reader.close();
    }
  }

  async #open({ stream, delta }: Candidate, copy: StreamCopy): Promise<DeltaReader> {
    const { passphrase, pool, signal } = this.#options;
    const upTo = this.#endOfPart(stream, this.#state.next);
    const keys = await stream.keys(passphrase, signal);
    const { deltas } = copy.stream;
    const index = deltas.indexOf(delta) ?? deltas.length;
    const ahead = deltas.from(index + 1, ({ first }) => first <= upTo);
    // The size may differ from that of another copy.
    const own = index < deltas.length ? deltas.at(index) : delta;
    return await openStoredDelta(copy, own, { files: this.#files, keys, pool, signal, ahead });
  }

  #hole(): LogError {
    const { next } = this.#state;
    const first = this.#candidates.firstAbove(next);
    const to = first === undefined ? "" : ` to ${first - 1}`;
    const message = `no delta holds revision ${next}${to}`;
    return new LogError("LOG_HOLE", next, message);
  }
}

function nameOf({ stream, delta }: Candidate): string {
  return `${stream.name.text}/${deltaName(delta)}`;
}

function isNewer(one: Candidate, other: Candidate | undefined): boolean {
  return other === undefined || compareStreamNames(one.stream.name, other.stream.name) > 0;
}

/** Whether another delta or copy may serve in the place of one with this error. */
function isOfTheDelta(error: unknown): boolean {
  return error instanceof ArchiveError || error instanceof StoreError || error instanceof LogError;
}
