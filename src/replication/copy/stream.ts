import { setMaxListeners } from "node:events";
import { ArchiveError } from "../../archive/errors.js";
import { BackupToolError, InterruptedError, NotLeaderError, throwIfAborted } from "../../errors.js";
import { Budget } from "../../flow/budget.js";
import { inParallel } from "../../flow/in-parallel.js";
import { checkNoForeign, foreignFile } from "../../snapshots/foreign-files.js";
import { readStream } from "../../snapshots/streams/list-streams.js";
import { runsOf, type StoredStream } from "../../snapshots/streams/stored-stream.js";
import { differences } from "../../snapshots/streams/stream-difference.js";
import type { StreamName } from "../../snapshots/streams/stream-name.js";
import type { SnapStore } from "../../snapstore/store.js";
import { FileThread } from "../../threads/file-thread.js";
import { copyDelta, deltaConflict } from "./delta.js";
import { type RetrySettings, retryStep } from "./retries.js";
import { type CopyOptions, type CopyResult, copySnapshot, snapshotConflict } from "./snapshot.js";

/** Limit for bytes of files in memory. */
export const STREAM_MEMORY_BYTES = 200 << 20;

export interface StreamCopyOptions {
  readonly signal: AbortSignal;
  /** Of a step that succeeds with a wrong result; the stores retry their calls. */
  readonly retries?: RetrySettings;
  /** Files in flight. */
  readonly maxParallelCopies?: number;
  readonly minChunkBytes?: number;
  readonly maxParallelChunks?: number;
}

/**
 * Copies what the target lacks of a stream: deltas, and the base in its folder. Nothing in the target is replaced or
 * deleted. As {@link copyStream}, with memory and a thread of its own.
 *
 * @param source,target retry their calls
 */
export async function copyStreamFiles(
  source: SnapStore,
  target: SnapStore,
  stream: StreamName,
  options: StreamCopyOptions,
): Promise<CopyResult> {
  const { maxParallelCopies = 8 } = options;
  const signal = AbortSignal.any([options.signal]);
  // Each call in flight adds listeners.
  setMaxListeners(0, signal);
  const thread = new FileThread();
  try {
    return await copyStream(source, target, stream, {
      retries: { maxRetries: 3, backoffMs: 200 },
      minChunkBytes: 5 << 20,
      maxParallelChunks: 5,
      ...options,
      signal,
      maxParallelCopies,
      thread,
      memory: new Budget(STREAM_MEMORY_BYTES),
      slots: new Budget(maxParallelCopies),
      onBytes: () => {},
    });
  } finally {
    await thread.close();
  }
}

/**
 * Copies what the target lacks of a stream, the oldest delta first. A file that cannot be copied does not keep the others
 * from it: they may close the log together with what another store has. The first failure is thrown at the end:
 * SNAPSHOT_CONFLICT for a delta or a base that the target has another one of, FOREIGN_FILE, DAMAGED, NO_SNAPSHOT if the
 * source has no such stream, and as {@link copyDelta} and {@link copySnapshot}.
 */
export async function copyStream(
  source: SnapStore,
  target: SnapStore,
  stream: StreamName,
  options: CopyOptions,
): Promise<CopyResult> {
  const { signal } = options;
  const [from, to] = await Promise.all([
    readStream(source, stream, signal),
    readStream(target, stream, signal),
  ]);
  if (from === undefined) {
    throw new BackupToolError("NO_SNAPSHOT", `${source.name} holds no stream ${stream.text}`);
  }
  checkConsistent(source, from);
  if (to?.foreign !== undefined) throw foreignFile(target, to.foreign);
  await checkNoOther(target, stream, to, signal);
  const copied = { files: 0, bytes: 0 };
  const failures = new Failures();
  // Deltas are small, and may be the only copy of the last minutes: they do not wait for a base.
  const both = await Promise.allSettled([
    failures.collect(() => copyDeltas(source, target, from, to, { options, copied, failures })),
    failures.collect(() => copyBase(source, target, from, to, { options, copied })),
  ]);
  for (const one of both) if (one.status === "rejected") throw one.reason;
  throwIfAborted(signal);
  failures.throwFirst();
  return {
    outcome: copied.files === 0 ? "present" : "copied",
    files: from.left.files,
    bytes: from.left.bytes,
    copiedFiles: copied.files,
    copiedBytes: copied.bytes,
  };
}

/** Throws FOREIGN_FILE if something of another program has the name of the stream. */
async function checkNoOther(
  target: SnapStore,
  { text }: StreamName,
  to: StoredStream | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (to === undefined) await checkNoForeign(target, text, signal);
  else if ((await target.head(text, signal)) !== undefined) throw foreignFile(target, text);
}

/** Throws DAMAGED for deltas that cannot be of one stream: which of them are right only the passphrase shows. */
function checkConsistent(source: SnapStore, { name, deltas }: StoredStream): void {
  const { problem } = runsOf(deltas, name.firstRevision);
  const why = deltas.overflows ? "it has too many deltas" : problem;
  if (why !== undefined)
    throw new ArchiveError("DAMAGED", `in ${source.name}: ${name.text}: ${why}`);
}

interface Copied {
  files: number;
  bytes: number;
}

async function copyDeltas(
  source: SnapStore,
  target: SnapStore,
  from: StoredStream,
  to: StoredStream | undefined,
  {
    options,
    copied,
    failures,
  }: { readonly options: CopyOptions; readonly copied: Copied; readonly failures: Failures },
): Promise<void> {
  const { maxParallelCopies, slots, retries, signal } = options;
  const { name } = from;
  await inParallel(differences(from, to), maxParallelCopies, async ({ delta, conflict }) => {
    if (conflict !== undefined) {
      failures.add(deltaConflict(target, `${name.text}, number ${delta.number}`, conflict));
      return;
    }
    await slots.take(1, signal);
    try {
      const isNew = await retryStep(retries, signal, () =>
        copyDelta(source, target, name, delta, options),
      );
      options.onBytes(delta.bytes);
      if (!isNew) return;
      copied.files++;
      copied.bytes += delta.bytes;
    } catch (error) {
      if (!isOfOneFile(error)) throw error;
      failures.add(error);
    } finally {
      slots.giveBack(1);
    }
  });
}

/** One that is being written, or that was not finished, is left out. */
async function copyBase(
  source: SnapStore,
  target: SnapStore,
  { name, base }: StoredStream,
  to: StoredStream | undefined,
  { options, copied }: { readonly options: CopyOptions; readonly copied: Copied },
): Promise<void> {
  if (base === undefined || base.state === "unfinished") return;
  const { digest } = base.facts ?? {};
  const there = to?.base;
  if (there?.state === "complete" && there.facts?.digest === digest) return;
  if (base.state === "damaged") {
    throw new ArchiveError("DAMAGED", `in ${source.name}: base of ${name.text}: ${base.problem}`);
  }
  if (there?.facts !== undefined && there.facts.digest !== digest) {
    throw snapshotConflict(target, name.text);
  }
  const result = await copySnapshot(source, target, name.text, { ...options, keepOthers: true });
  copied.files += result.copiedFiles;
  copied.bytes += result.copiedBytes;
}

/** Whether the other files can be copied all the same. */
function isOfOneFile(error: unknown): error is BackupToolError {
  if (!(error instanceof BackupToolError)) return false;
  return OF_ONE_FILE.has(error.code);
}

const OF_ONE_FILE: ReadonlySet<string> = new Set([
  "SNAPSHOT_CONFLICT",
  "DAMAGED",
  "COPY_MISMATCH",
  "STORE_IMMUTABLE",
]);

/** Errors of work that goes on without what failed. */
class Failures {
  #first: BackupToolError | undefined;

  add(error: BackupToolError): void {
    this.#first ??= error;
  }

  /** Throws what ends all work. */
  async collect(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const endsAll = error instanceof InterruptedError || error instanceof NotLeaderError;
      if (endsAll || !(error instanceof BackupToolError)) throw error;
      this.add(error);
    }
  }

  throwFirst(): void {
    if (this.#first !== undefined) throw this.#first;
  }
}
