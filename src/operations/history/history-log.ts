import type { PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import { changesDigest } from "../../archive/delta/changes-digest.js";
import type { SealPool } from "../../archive/seal/seal-pool.js";
import { type LogOptions, readLog } from "../../snapshots/streams/log-reader.js";
import type { LogSite } from "../../snapshots/streams/log-stream.js";
import type { EtcdRevision } from "../../sources/etcd/history.js";
import { remainingChanges } from "./base-changes.js";
import type { BaseDatabase } from "./base-database.js";
import type { LogSegment } from "./plan/log-line.js";
import type { HistoryPlan } from "./plan/plan-history.js";
import { LogFault } from "./plan-faults.js";
import type { HistoryContents, HistoryStream, StoredHistoryBase } from "./stored-history.js";

export type StoredPlan = HistoryPlan<StoredHistoryBase, HistoryStream>;
type Revisions = AsyncGenerator<readonly EtcdRevision[], void, void>;

/** Reads the deltas of a history. */
export class HistoryLog {
  readonly #sites: readonly LogSite[];
  readonly #passphrase: PassphraseKeys;
  readonly #pool: SealPool;

  constructor(
    { sites }: Pick<HistoryContents, "sites">,
    passphrase: PassphraseKeys,
    pool: SealPool,
  ) {
    this.#sites = sites;
    this.#passphrase = passphrase;
    this.#pool = pool;
  }

  /** The revisions of a plan, checked to follow its base. Throws LogError, ArchiveError. */
  async *after(
    base: BaseDatabase,
    { base: of, log, revision }: StoredPlan,
    signal: AbortSignal,
  ): Revisions {
    if (log.length === 0) return;
    const { revision: last, compactRevision } = base.facts;
    const changes = await remainingChanges(base.database, last, signal);
    const anchor = {
      digest: changes && changesDigest(changes),
      isCompacted: compactRevision >= last,
      stream: of.stream?.text,
      clusterId: base.clusterId,
    };
    yield* this.#read(log, { after: of.revision, upTo: revision, anchor, signal });
  }

  /** The revisions of a part of the log, whatever comes before it. Throws LogError, ArchiveError. */
  async *segment(segment: LogSegment<HistoryStream>, signal: AbortSignal): Revisions {
    yield* this.joined([segment], signal);
  }

  /** Likewise of several parts, each of which is checked to follow the one before. */
  async *joined(segments: readonly LogSegment<HistoryStream>[], signal: AbortSignal): Revisions {
    const [begin, end] = [segments[0], segments.at(-1)];
    if (begin === undefined || end === undefined) return;
    yield* this.#read(segments, { after: begin.first - 1, upTo: end.last, signal });
  }

  /**
   * The compact revision of etcd at the revision of a plan, where a delta tells: it has that of the time when it was written,
   * which can be later than a revision in it. Throws LogFault.
   */
  async compactRevision(
    { log, revision }: StoredPlan,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const segment = log.at(-1);
    if (segment === undefined) return undefined;
    const first = firstOfDeltaBefore(segment, revision);
    let known: number | undefined;
    const onDelta: LogOptions["onDelta"] = ({ head: { compactRevision } }) => {
      if (compactRevision <= revision) known = compactRevision;
    };
    const range = { after: first - 1, upTo: revision, signal, onDelta };
    let next = first;
    try {
      for await (const batch of this.#read([segment], range)) {
        next = (batch.at(-1)?.revision ?? next) + 1;
      }
    } catch (error) {
      // It says nothing against the base.
      throw new LogFault(next, error);
    }
    return known;
  }

  /** Reads of each stream only what its segments have: what a stream has besides can be another history. */
  #read(
    segments: readonly LogSegment<HistoryStream>[],
    options: Omit<LogOptions, "passphrase" | "pool">,
  ): Revisions {
    const parts = segments.map(({ stream, first, last }) => {
      return { stream: stream.name.text, first, last };
    });
    const names = new Set(parts.map(({ stream }) => stream));
    const sites = this.#sites.map(({ store, streams }) => {
      return { store, streams: streams.filter(({ name }) => names.has(name.text)) };
    });
    const [passphrase, pool] = [this.#passphrase, this.#pool];
    return readLog(sites, { ...options, parts, passphrase, pool });
  }
}

/** The first revision of the delta before the one that holds a revision; of that one itself where it is the first. */
function firstOfDeltaBefore(
  { stream, first }: LogSegment<HistoryStream>,
  revision: number,
): number {
  let before = first;
  for (const run of stream.runs) {
    for (let i = 0; i < run.count; i++) {
      const delta = stream.deltas.at(run.at + i);
      if (delta.last >= revision) return Math.max(first, before);
      before = delta.first;
    }
  }
  return Math.max(first, before);
}
