import { createHash } from "node:crypto";
import { ArchiveError } from "../../archive/errors.js";
import {
  readScrubProgress,
  type ScrubProgress,
  writeScrubProgress,
} from "../../snapshots/control/scrub-progress.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import { verifySnapshot } from "../../snapshots/verify.js";
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
 * parts, all files were read. A percentage is so many parts, a group `i/n` is one of n, the next in turn.
 */
export async function scrubStore(
  store: SnapStore,
  snapshots: readonly StoredSnapshot[],
  selection: ReadSelection,
  { signal, report }: StoreContext,
): Promise<ScrubResult> {
  const parts = partsOf(selection);
  const before = await readScrubProgress(store, signal);
  const part = before?.parts === parts ? (before.part % parts) + 1 : 1;
  const thread = new FileThread();
  const sums = { snapshots: 0, filesRead: 0, bytesRead: 0, damagedFiles: 0 };
  const complete = snapshots.filter(({ state }) => state === "complete");
  try {
    for (const { name } of complete) {
      const place = { snapshot: name.text, store: store.name };
      const slice = sliceOf(name.text, part, parts);
      try {
        const result = await verifySnapshot(store, name.text, {
          selection: { kind: "slice", slice, slices: parts },
          thread,
          signal,
          onProgress: () => {},
          onDamage: (damage) => report({ type: "snapshot-damaged", ...place, ...damage }),
        });
        sums.filesRead += result.filesRead;
        sums.bytesRead += result.bytesRead;
        sums.damagedFiles += result.damaged;
      } catch (error) {
        // Deleted by retention since it was listed, or damaged as a whole.
        if (!(error instanceof ArchiveError)) throw error;
        if (error.code === "UNFINISHED_BACKUP") continue;
        sums.damagedFiles++;
        const { code, message } = error;
        report({ type: "snapshot-damaged", ...place, file: code, reason: message });
      }
      const done = ++sums.snapshots;
      const total = complete.length;
      const bytes = sums.bytesRead;
      report({ type: "progress", phase: "verify", done, total, unit: "items", bytes });
    }
  } finally {
    await thread.close();
  }
  await writeScrubProgress(store, progressAfter(before, part, parts, sums.damagedFiles), signal);
  return { part, parts, ...sums };
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

function progressAfter(
  before: ScrubProgress | undefined,
  part: number,
  parts: number,
  found: number,
): ScrubProgress {
  // Damage stays known until its part is read again.
  const damaged = new Map(before?.parts === parts ? before.damaged : []);
  if (found > 0) damaged.set(part, found);
  else damaged.delete(part);
  return { part, parts, at: new Date().toISOString(), damaged };
}
