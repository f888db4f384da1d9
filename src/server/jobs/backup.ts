import { BackupToolError, InterruptedError, errorMessage } from "../../errors.js";
import type { OperationContext } from "../../operations/context.js";
import { type CreateOptions, createBackup } from "../../operations/create/create.js";
import type { OperationEvent } from "../../operations/events.js";
import { discardUnfinished } from "../../operations/snapshots/discard.js";
import type { ServerStores } from "../../settings/server-options.js";
import type { JobOutcome } from "./job.js";

export interface BackupResult extends JobOutcome {
  /** An incremental without a usable base is made as a full one. */
  readonly kind: "full" | "incremental";
  /** Objects that could not be read. */
  readonly missing: number;
  /** Whether the secondary lacks it. */
  readonly secondaryBehind: boolean;
  /** Revision of the raw snapshot of etcd in it. */
  readonly rawRevision?: number | undefined;
}

/** Failures of an incremental that a full backup does not have: its base is not there or cannot be read. */
const NO_USABLE_BASE: readonly string[] = [
  "NO_SNAPSHOT",
  "NO_BASE",
  "DAMAGED",
  "MISSING_FILE",
  "DOES_NOT_BELONG",
  "UNFINISHED_BACKUP",
];
/** Longest time for removing what a failed backup left, ms. */
const DISCARD_MS = 30_000;

/**
 * Makes a backup in the stores. What a failed or interrupted one leaves is removed, while this process may write. Throws
 * what `createBackup` throws.
 */
export async function runBackup(
  kind: "full" | "incremental",
  options: CreateOptions,
  { primary, secondary }: ServerStores,
  context: OperationContext,
): Promise<BackupResult> {
  let begun: string | undefined;
  const seen: { objects?: number; records?: number; rawRevision?: number } = {};
  const report = (event: OperationEvent): void => {
    context.report(event);
    if (event.type === "snapshot-begun") begun = event.snapshot;
    if (event.type === "ceph-done") seen.objects = event.included;
    if (event.type === "etcd-done") seen.records = event.included;
    if (event.type === "etcd-snapshot") seen.rawRevision = event.revision;
  };
  const create = (incremental: boolean) =>
    createBackup(
      {
        ...options,
        store: primary,
        secondaryStore: secondary,
        etcdMode: incremental ? incrementalMode(options) : options.etcdMode,
        incrementalOver: incremental
          ? { kind: "snapshot", stores: [primary.config], snapshot: "latest" }
          : undefined,
      },
      { ...context, report },
    );
  let made = kind;
  try {
    const created = await create(kind === "incremental").catch((error: unknown) => {
      if (kind === "full" || begun !== undefined || !hasNoUsableBase(error)) throw error;
      made = "full";
      const why = errorMessage(error);
      report({ type: "warning", message: `a full backup is made, since ${why}` });
      return create(false);
    });
    return { ...created, kind: made, ...(begun !== undefined && { snapshot: begun }), ...seen };
  } catch (error) {
    if (begun !== undefined) await discard(begun, { primary, secondary }, context);
    throw error;
  }
}

/** A raw snapshot is whole each time, so incrementals have it only where nothing else is asked for. */
function incrementalMode({ etcdMode }: CreateOptions): CreateOptions["etcdMode"] {
  return etcdMode === "both" ? "records" : etcdMode;
}

function hasNoUsableBase(error: unknown): boolean {
  return error instanceof BackupToolError && NO_USABLE_BASE.includes(error.code);
}

/** Never throws: `snapshot prune-incomplete` removes what is left now. */
async function discard(
  snapshot: string,
  { primary, secondary }: ServerStores,
  context: OperationContext,
): Promise<void> {
  // The job's own signal may have aborted.
  const signal = AbortSignal.timeout(DISCARD_MS);
  const stores = { primary: primary.config, secondary: secondary?.config };
  try {
    await discardUnfinished(stores, snapshot, { ...context, signal });
  } catch (error) {
    if (error instanceof InterruptedError) return;
    const why = errorMessage(error);
    context.report({ type: "note", message: `${snapshot} is left unfinished: ${why}` });
  }
}
