import { InterruptedError, BackupToolError } from "../../errors.js";
import { Budget } from "../../flow/budget.js";
import { FileThread } from "../../threads/file-thread.js";
import { copyStream, STREAM_MEMORY_BYTES } from "../copy/stream.js";
import type { CopyFailures } from "./copy-failures.js";
import type { FailingStore } from "./failing-store.js";
import type { SyncSide } from "./sync-error.js";
import type { StreamToCopy } from "./stream-plan.js";
import type { SyncReports, SyncSettings } from "./sync-run.js";

/** How many streams got something, and how many could not be copied whole. */
export interface StreamTotals {
  readonly copied: number;
  readonly failed: number;
}

/**
 * Copies what the target lacks of streams. One that cannot be copied is reported, and the others continue. Throws SyncError
 * once a store fails as a whole.
 *
 * @param onDone called for each stream that the target has whole now
 */
export async function copyStreams(
  { source, target }: Readonly<Record<SyncSide, FailingStore>>,
  streams: readonly StreamToCopy[],
  failures: CopyFailures,
  settings: Pick<
    SyncSettings,
    "maxParallelCopies" | "minChunkBytes" | "maxParallelChunks" | "retries" | "signal"
  >,
  reports: Pick<SyncReports, "onCopied" | "onNotCopied">,
  onDone: (stream: StreamToCopy) => void,
): Promise<StreamTotals> {
  if (streams.length === 0) return { copied: 0, failed: 0 };
  const { maxParallelCopies, signal } = settings;
  const thread = new FileThread();
  const shared = {
    ...settings,
    thread,
    memory: new Budget(STREAM_MEMORY_BYTES),
    slots: new Budget(maxParallelCopies),
    onBytes: () => {},
  };
  let copied = 0;
  let failed = 0;
  try {
    for (const one of streams) {
      const name = one.stream.name.text;
      try {
        const result = await copyStream(source, target, one.stream.name, shared);
        failures.succeeded();
        onDone(one);
        if (result.copiedFiles === 0) continue;
        copied++;
        reports.onCopied(name, result);
      } catch (error) {
        if (error instanceof InterruptedError || !(error instanceof BackupToolError)) throw error;
        const side = failures.sideOf(error);
        // Deleted meanwhile, as by retention. What is left of it is planned again.
        if (
          error.code === "NO_SNAPSHOT" ||
          (error.code === "STORE_NOT_FOUND" && side === "source")
        ) {
          continue;
        }
        failed++;
        reports.onNotCopied(name, error, side);
        await failures.check(name, error, signal);
      }
    }
  } finally {
    await thread.close();
  }
  return { copied, failed };
}
