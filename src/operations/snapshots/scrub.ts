import { createHash } from "node:crypto";
import { ArchiveError } from "../../archive/errors.js";
import {
  damagedFiles,
  readScrubProgress,
  type ScrubProgress,
  writeScrubProgress,
} from "../../snapshots/control/scrub-progress.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import type { FileDamage } from "../../snapshots/file-check.js";
import { manifestKey } from "../../snapshots/manifest.js";
import { readStream } from "../../snapshots/streams/list-streams.js";
import type { StoredStream } from "../../snapshots/streams/stored-stream.js";
import { verifyStream } from "../../snapshots/streams/verify-stream.js";
import {
  answersRead,
  type VerifyOptions,
  type VerifyResult,
  verifySnapshot,
} from "../../snapshots/verify.js";
import { StoreError } from "../../snapstore/errors.js";
import type { ReadSelection } from "../../snapshots/read-selection.js";
import type { SnapStore } from "../../snapstore/store.js";
import { FileThread } from "../../threads/file-thread.js";
import type { StoreContext } from "../context.js";

export interface ScrubResult {
  readonly part: number;
  readonly parts: number;
  readonly snapshots: number;
  readonly filesRead: number;
  readonly bytesRead: number;
  /** Found in this run. */
  readonly damagedFiles: number;
}

/**
 * Reads back the next part of the data in a store, and compares it with the manifests: after as many runs as there are
 * parts, all files were read. What cannot be read is damaged, unless the store fails: that is thrown. A percentage is so many parts, a group `i/n` is one of n, the next in turn.
 */
export async function scrubStore(
  store: SnapStore,
  snapshots: readonly StoredSnapshot[],
  selection: ReadSelection,
  { signal, report }: StoreContext,
  streams: readonly StoredStream[] = [],
): Promise<ScrubResult> {
  const parts = partsOf(selection);
  const before = await readScrubProgress(store, signal);
  const part = before?.parts === parts ? (before.part % parts) + 1 : 1;
  const thread = new FileThread();
  const sums = { snapshots: 0, filesRead: 0, bytesRead: 0, damagedFiles: 0 };
  const complete = snapshots
    .filter(({ state }) => state === "complete")
    .map(({ name }) => name.text);
  const items: Scrubbed[] = [
    ...complete.map((name): Scrubbed => {
      return {
        name,
        hasManifest: true,
        verify: (how) => verifySnapshot(store, name, how),
        isDeleted: () => isDeleted(store, name, signal),
      };
    }),
    ...streams.map((stream): Scrubbed => {
      return {
        name: stream.name.text,
        hasManifest: false,
        verify: (how) => verifyStream(store, stream, { ...how, mayGrow: true }),
        isDeleted: () => isStreamShorter(store, stream, signal),
      };
    }),
  ];
  /** The last snapshot that could be read. */
  let readable: string | undefined;
  try {
    for (const { name, hasManifest, verify, isDeleted } of items) {
      const slice = sliceOf(name, part, parts);
      const damages: FileDamage[] = [];
      try {
        const result = await verify({
          selection: { kind: "slice", slice, slices: parts },
          thread,
          signal,
          onProgress: () => {},
          onDamage: (damage) => damages.push(damage),
        });
        if (hasManifest) readable = name;
        sums.filesRead += result.filesRead;
        sums.bytesRead += result.bytesRead;
      } catch (error) {
        // The oldest may be in an archive that does not answer reads.
        const others = complete.filter((other) => other !== name).toReversed();
        if (readable !== undefined) others.unshift(readable);
        damages.push(await damageBy(error, store, others, signal));
      }
      if (damages.length > 0 && (await isDeleted())) continue;
      for (const damage of damages) {
        report({ type: "snapshot-damaged", snapshot: name, store: store.name, ...damage });
      }
      sums.damagedFiles += damages.length;
      const done = ++sums.snapshots;
      const total = items.length;
      const bytes = sums.bytesRead;
      report({ type: "progress", phase: "verify", done, total, unit: "items", bytes });
    }
  } finally {
    await thread.close();
  }
  try {
    await writeScrubProgress(store, progressAfter(before, part, parts, sums.damagedFiles), signal);
  } catch (error) {
    // What was found must not be lost with it.
    if (!(error instanceof StoreError) || sums.damagedFiles === 0) throw error;
    const message = `how far the reading back has come is not stored: ${error.message}`;
    report({ type: "warning", message });
  }
  return { part, parts, ...sums };
}

/** What is read back: a snapshot, or a stream of deltas. */
interface Scrubbed {
  readonly name: string;
  readonly hasManifest: boolean;
  verify(how: VerifyOptions): Promise<VerifyResult>;
  /** Whether it was deleted since it was listed, at least in part. */
  isDeleted(): Promise<boolean>;
}

/** Other snapshots that are tried before a store counts as failed. */
const TRIED_OTHERS = 3;

/**
 * A snapshot that is damaged as a whole. Its object may answer with an error each time: that must not end each run at
 * the same place. Throws the error of a store that fails for other snapshots too, and of an interruption.
 */
async function damageBy(
  error: unknown,
  store: SnapStore,
  others: readonly string[],
  signal: AbortSignal,
): Promise<FileDamage> {
  if (error instanceof ArchiveError) return { file: error.code, reason: error.message };
  if (!(error instanceof StoreError)) throw error;
  for (const other of others.slice(0, TRIED_OTHERS)) {
    if (await answersRead(store, other, signal)) {
      return { file: error.code, reason: `it cannot be read: ${error.reason}` };
    }
  }
  throw error;
}

/** Whether a snapshot was deleted since it was listed, as retention does: its manifest goes first. */
async function isDeleted(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return (await store.head(manifestKey(snapshot), signal)) === undefined;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return false;
  }
}

/** Retention deletes the newest deltas first. */
async function isStreamShorter(
  store: SnapStore,
  { name, deltas }: StoredStream,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const now = await readStream(store, name, signal);
    return now === undefined || now.deltas.length < deltas.length;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return false;
  }
}

function partsOf(selection: ReadSelection): number {
  switch (selection.kind) {
    case "percent":
      return Math.ceil(100 / selection.percent);
    case "slice":
      return selection.slices;
    default:
      return 1;
  }
}

/** Snapshots of few files would all be read in the first parts otherwise. */
function sliceOf(snapshot: string, part: number, parts: number): number {
  const digest = createHash("sha256").update(snapshot).digest();
  return ((part - 1 + (digest.readUInt32BE() % parts)) % parts) + 1;
}

/** Of a division into other parts: counted for the part that is read last. */
function damageOfAll(before: ScrubProgress | undefined, parts: number): [number, number][] {
  const files = before === undefined ? 0 : damagedFiles(before);
  return files > 0 ? [[parts, files]] : [];
}

function progressAfter(
  before: ScrubProgress | undefined,
  part: number,
  parts: number,
  found: number,
): ScrubProgress {
  // Damage stays known until its part is read again.
  const damaged = new Map(before?.parts === parts ? before.damaged : damageOfAll(before, parts));
  if (found > 0) damaged.set(part, found);
  else damaged.delete(part);
  return { part, parts, at: new Date().toISOString(), damaged };
}
