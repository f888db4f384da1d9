import { createHash, randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { BackupToolError, InterruptedError } from "../../../src/errors.js";
import { raceAbort } from "../../../src/flow/race-abort.js";
import { Waiters } from "../../../src/flow/waiters.js";
import type { QueueFile } from "../../../src/server/deltas/batch-file.js";
import type { MadeBase } from "../../../src/server/deltas/delta-loop.js";
import type { StreamFacts, StreamKeys } from "../../../src/server/deltas/delta-stream.js";
import type {
  HistorySink,
  HistoryWatch,
  WatchEnd,
} from "../../../src/server/deltas/history-watch.js";
import type { SealedDelta } from "../../../src/server/deltas/outbox.js";
import type { DeltaSite } from "../../../src/server/deltas/site-sender.js";
import type { ListedHistory } from "../../../src/server/deltas/stored-log.js";
import type { LogPosition } from "../../../src/server/deltas/stream-writer.js";
import type { Site } from "../../../src/server/status.js";
import { parseDeltaName } from "../../../src/snapshots/streams/delta-name.js";
import type { StoredStream } from "../../../src/snapshots/streams/stored-stream.js";
import { StreamFolder } from "../../../src/snapshots/streams/stream-folder.js";
import { parseStreamName, streamName } from "../../../src/snapshots/streams/stream-name.js";
import type { EtcdChange, EtcdRevision } from "../../../src/sources/etcd/history.js";

/** The end of a watch of {@link ModelEtcd}. */
export class ModelWatchEnd extends Error {
  readonly end: WatchEnd;

  constructor(end: WatchEnd) {
    super(end.kind === "broken" ? end.reason : end.kind);
    this.end = end;
  }
}

export function changesOf(token: string): EtcdChange[] {
  return [{ deleted: false, kv: Buffer.from(token) }];
}

export function digestOf(changes: readonly EtcdChange[]): Uint8Array {
  const hash = createHash("sha256");
  for (const { kv } of changes) hash.update(kv);
  return hash.digest().subarray(0, 16);
}

/** An etcd whose revisions are one token each. It can be compacted, stopped, and restored to its past. */
export class ModelEtcd {
  /** Token of revision i + 1. */
  tokens: string[] = [];
  compactRevision = 0;
  /** The time of day. */
  wallMs = (): number => Date.now();
  /** Revisions that a watch may lack when it begins. */
  farBehind = Number.POSITIVE_INFINITY;
  /** All histories that there were. */
  readonly histories: string[][] = [];
  readonly #changed = new Waiters();
  #isDown = false;
  #watches = new Set<{ fail(error: Error): void }>();

  constructor() {
    this.histories.push(this.tokens);
    this.write(3);
  }

  get revision(): number {
    return this.tokens.length;
  }

  get isDown(): boolean {
    return this.#isDown;
  }

  set isDown(isDown: boolean) {
    this.#isDown = isDown;
    this.#changed.wakeAll();
  }

  write(count: number): void {
    for (let i = 0; i < count; i++) this.tokens.push(randomUUID());
    this.#changed.wakeAll();
  }

  compact(revision: number): void {
    this.compactRevision = Math.max(this.compactRevision, Math.min(revision, this.revision));
  }

  /** Another history from here on. Watches break off, as in a restart. */
  restoreTo(revision: number): void {
    this.tokens = this.tokens.slice(0, Math.max(1, revision));
    this.compactRevision = Math.min(this.compactRevision, this.revision);
    this.histories.push(this.tokens);
    // The restored member writes something itself.
    this.write(1);
    this.breakWatches();
  }

  breakWatches(): void {
    for (const watch of this.#watches) watch.fail(new ModelWatchEnd({ kind: "failed" }));
    this.#changed.wakeAll();
  }

  openNewest = async (signal: AbortSignal) => {
    const after = Math.max(this.revision - 1, this.compactRevision);
    const position = { revision: after, digest: undefined, clusterId: "1" };
    return { watch: await this.openWatch(position, signal), after };
  };

  openWatch = async (after: LogPosition, signal: AbortSignal): Promise<HistoryWatch> => {
    await turn();
    if (this.isDown) throw new ModelWatchEnd({ kind: "failed" });
    this.#checkStart(after);
    const isStartProven = after.digest !== undefined && after.revision > this.compactRevision;
    const { tokens } = this;
    return {
      clusterId: "1",
      isStartProven,
      run: (sink) => this.#run(sink, after.revision, tokens, signal),
      currentRevision: async () => {
        if (this.isDown) throw new Error("down");
        return this.revision;
      },
      compactRevision: async () => this.compactRevision,
      forgetLeases: () => {},
      close: () => {},
    };
  };

  #checkStart({ revision, digest }: LogPosition): void {
    const broken = (reason: string, isOtherHistory: boolean) =>
      new ModelWatchEnd({ kind: "broken", reason, isOtherHistory });
    if (revision > this.revision) throw broken("etcd has fewer revisions", true);
    if (revision < this.compactRevision) throw broken("compacted", false);
    if (this.revision - revision > this.farBehind) throw broken("far behind", false);
    const token = this.tokens[revision - 1];
    const isOther =
      digest !== undefined &&
      token !== undefined &&
      revision > this.compactRevision &&
      !Buffer.from(digestOf(changesOf(token))).equals(digest);
    if (isOther) throw broken("other changes", true);
  }

  async #run(
    sink: HistorySink,
    after: number,
    tokens: readonly string[],
    signal: AbortSignal,
  ): Promise<never> {
    let failure: Error | undefined;
    const watch = {
      fail: (error: Error) => {
        failure = error;
      },
    };
    this.#watches.add(watch);
    try {
      for (let covered = after; ; ) {
        await turn();
        if (signal.aborted) throw new InterruptedError();
        if (failure !== undefined) throw failure;
        if (this.isDown) throw new ModelWatchEnd({ kind: "failed" });
        // Compacted below a watch that is behind.
        if (covered < this.compactRevision && covered < tokens.length) {
          throw new ModelWatchEnd({ kind: "broken", reason: "compacted", isOtherHistory: false });
        }
        const batch = tokens.slice(covered, covered + 5).map((token, i): EtcdRevision => {
          return {
            revision: covered + i + 1,
            seenMs: this.wallMs(),
            changes: changesOf(token),
            leases: [],
          };
        });
        if (batch.length === 0) {
          await raceAbort(this.#changed.wait(), signal);
          continue;
        }
        await sink.revisions(batch);
        covered += batch.length;
      }
    } finally {
      this.#watches.delete(watch);
    }
  }
}

interface StoredFile {
  readonly facts: Omit<StreamFacts, "before"> & { readonly before: string | null };
  readonly number: number;
  readonly tokens: readonly string[];
}

/** Keys whose files are JSON. */
export function modelKeys(): StreamKeys {
  return {
    id: randomUUID().replaceAll("-", ""),
    begin: (facts) => {
      let number = 0;
      return {
        get isFull() {
          return number >= 40;
        },
        seal: async (revisions) => {
          await turn();
          const [first, last] = [revisions[0], revisions.at(-1)];
          if (first === undefined || last === undefined) throw new Error("no revisions");
          const tokens = revisions.map(({ changes: [change] }) => `${change?.kv}`);
          const before = facts.before === null ? null : Buffer.from(facts.before).toString("hex");
          const text = JSON.stringify({ facts: { ...facts, before }, number, tokens });
          const time = Math.floor(last.seenMs / 1000);
          const bytes = Buffer.from(text);
          return { number: number++, first: first.revision, last: last.revision, time, bytes };
        },
      };
    },
  };
}

interface ModelBase {
  readonly revision: number;
  readonly tokens: readonly string[];
  readonly begunMs: number;
  readonly takenMs: number;
}

/** A store in memory, which a test takes down and up, and which says what can be restored from it. */
export class ModelSite implements DeltaSite {
  readonly name: Site;
  readonly files = new Map<string, Uint8Array>();
  /** Bases of streams by the names of these, and of full backups by any other name. */
  readonly bases = new Map<string, ModelBase>();
  readonly #all: () => readonly ModelSite[];
  isDown = false;
  /** It gets what it lacks from the other one. */
  copies = true;
  /** It takes no base. */
  isFull = false;

  constructor(name: Site, all: () => readonly ModelSite[]) {
    this.name = name;
    this.#all = all;
  }

  async put({ key, bytes }: SealedDelta): Promise<void> {
    await turn();
    this.#check();
    this.files.set(key, bytes);
  }

  async copyStream(stream: string, from: Site): Promise<StoredStream | undefined> {
    await turn();
    this.#check();
    if (!this.copies) throw new Error("it is not copied now");
    const source = this.#all().find(({ name }) => name === from);
    if (source === undefined || source.isDown) throw new Error("the source is down");
    for (const [key, bytes] of source.files) {
      if (key.startsWith(`${stream}/`)) this.files.set(key, bytes);
    }
    const base = source.bases.get(stream);
    if (base !== undefined) this.bases.set(stream, base);
    return this.listed().streams.find(({ name }) => name.text === stream);
  }

  listed(): ListedHistory {
    this.#check();
    const folders = new Map<string, StreamFolder>();
    const folder = (stream: string): StreamFolder => {
      const name = parseStreamName(stream);
      if (name === undefined) throw new Error(stream);
      const found = folders.get(stream) ?? new StreamFolder(name, false);
      folders.set(stream, found);
      return found;
    };
    const modified = new Date(0);
    for (const [key, { length: size }] of this.files) {
      folder(key.split("/")[0] ?? "").add({ key, size, modified });
    }
    for (const name of this.bases.keys()) {
      if (parseStreamName(name) === undefined) continue;
      folder(name).add({ key: `${name}/METADATA.bin`, size: 1, modified });
    }
    const streams = [...folders.values()].flatMap((one) => {
      const ended = one.end();
      if (ended === undefined) return [];
      const base = this.bases.get(one.name.text);
      const stored = base && { state: "complete" as const, revision: base.revision };
      return [{ ...ended.stream, base: stored }];
    });
    streams.sort((a, b) => a.name.time - b.name.time);
    const bases = [...this.bases]
      .filter(([name]) => parseStreamName(name) === undefined)
      .map(([, { revision, begunMs, takenMs }]) => ({ revision, begunMs, takenMs }));
    return { snapshots: [], streams, bases };
  }

  digestAt(revision: number): Uint8Array | undefined {
    const newestFirst = [...this.files].sort(([a], [b]) => startOf(b) - startOf(a));
    for (const [key, bytes] of newestFirst) {
      if (parseDeltaName(key.split("/")[1] ?? "")?.last !== revision) continue;
      return digestOf(changesOf(fileOf(bytes).tokens.at(-1) ?? ""));
    }
    return undefined;
  }

  /** All ways to a revision that the files of this site show, each as the tokens from revision 1 on. */
  restored(revision: number): string[][] {
    const deltas = [...this.files].map(([key, bytes]) => {
      const name = parseDeltaName(key.split("/")[1] ?? "");
      if (name === undefined) throw new Error(key);
      return { ...name, ...fileOf(bytes), stream: key.split("/")[0] ?? "" };
    });
    const found: string[][] = [];
    for (const [baseName, base] of this.bases) {
      const walk = (tokens: readonly string[], stream: string): void => {
        if (tokens.length >= revision) {
          found.push(tokens.slice(0, revision));
          return;
        }
        const digest = Buffer.from(digestOf(changesOf(tokens.at(-1) ?? ""))).toString("hex");
        for (const delta of deltas) {
          if (delta.first > tokens.length + 1 || delta.last <= tokens.length) continue;
          const isSame = delta.stream === stream;
          const isJoined =
            delta.first === tokens.length + 1
              ? isSame || (delta.number === 0 && delta.facts.before === digest)
              : // A base in the middle of a delta: its last revision has to be the one in it.
                delta.tokens[tokens.length - delta.first] === tokens.at(-1);
          if (!isJoined && !(delta.number > 0 && isWithin(deltas, delta, tokens))) continue;
          walk([...tokens, ...delta.tokens.slice(tokens.length + 1 - delta.first)], delta.stream);
        }
      };
      if (base.revision <= revision) walk(base.tokens, baseName);
    }
    return found;
  }

  #check(): void {
    if (this.isDown) throw new BackupToolError("STORE_TRANSIENT", `${this.name} is down`);
  }
}

type Delta = StoredFile & {
  readonly stream: string;
  readonly first: number;
  readonly last: number;
};

/** Whether the delta before this one in its stream ends with what the tokens end with. */
function isWithin(deltas: readonly Delta[], delta: Delta, tokens: readonly string[]): boolean {
  return deltas.some(
    (one) =>
      one.stream === delta.stream &&
      one.number === delta.number - 1 &&
      one.last === tokens.length &&
      one.tokens.at(-1) === tokens.at(-1),
  );
}

function startOf(key: string): number {
  return parseStreamName(key.split("/")[0] ?? "")?.time ?? 0;
}

function fileOf(bytes: Uint8Array): StoredFile {
  return JSON.parse(Buffer.from(bytes).toString());
}

/** A file in memory. */
export function modelFile(onClosed: (file: QueueFile) => void = () => {}): QueueFile {
  let bytes = Buffer.alloc(0);
  const file: QueueFile = {
    get size() {
      return bytes.length;
    },
    write: async (more) => {
      await turn();
      bytes = Buffer.concat([bytes, more]);
    },
    read: async (target, position) => {
      await turn();
      return bytes.copy(target, 0, position, position + Math.ceil(target.length / 2));
    },
    close: async () => {
      await turn();
      onClosed(file);
    },
  };
  return file;
}

/**
 * Makes a base at the sites that are up. One must be.
 *
 * @param stored resolves when its bytes are in the stores
 */
export async function makeModelBase(
  etcd: ModelEtcd,
  sites: readonly ModelSite[],
  time: number,
  stored: () => Promise<void> = async () => {},
): Promise<MadeBase> {
  await turn();
  if (etcd.isDown) throw new Error("no base can be made");
  const { revision, compactRevision } = etcd;
  const base = { revision, tokens: [...etcd.tokens], begunMs: time * 1000, takenMs: time * 1000 };
  const keys = modelKeys();
  const { text: name } = streamName({ firstRevision: revision + 1, time, id: keys.id });
  const digest =
    revision > compactRevision ? digestOf(changesOf(etcd.tokens.at(-1) ?? "")) : undefined;
  await stored();
  const up = sites.filter(({ isDown, isFull }) => !isDown && !isFull);
  if (up.length === 0) throw new Error("no store takes the base");
  for (const site of up) site.bases.set(name, base);
  const names = up.map((site) => site.name);
  return { name, keys, revision, clusterId: "1", digest, compactRevision, sites: names };
}
