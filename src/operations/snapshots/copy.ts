import { type CopySettings, copyStore } from "../../replication/copy/store.js";
import { copyRetryPolicy } from "../../replication/copy/retries.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContext } from "../context.js";
import { newestComplete, SeenSnapshots } from "../open/seen-snapshots.js";
import { withTwoStores } from "../open/stores.js";

export interface CopyOptions extends Omit<CopySettings, "signal"> {
  readonly source: StoreConfig;
  readonly target: StoreConfig;
}

/** Copies snapshots from one store to another. Resolves with the number of failed snapshots. */
export function copySnapshots(options: CopyOptions, context: StoreContext): Promise<number> {
  const { signal, report } = context;
  const seen = new SeenSnapshots(context);
  const copy = async (source: SnapStore, target: SnapStore): Promise<number> => {
    let wanted: readonly StoredSnapshot[] = [];
    const copied = new Set<string>();
    const totals = await copyStore(
      source,
      target,
      { ...options, signal },
      {
        onProgress: (done, total) =>
          report({ type: "progress", phase: "copy", done, total, unit: "bytes" }),
        onListed: async (ofSource, ofTarget) => {
          wanted = ofSource;
          await seen.check(source, newestComplete(ofSource));
          await seen.check(target, newestComplete(ofTarget));
        },
        onCopied: (snapshot, result) => {
          copied.add(snapshot);
          report({ type: "snapshot-copied", snapshot, ...result });
        },
        onFailed: (snapshot, { code, message, hint }) => {
          const reason = hint === undefined ? message : `${message}; ${hint}`;
          report({ type: "snapshot-not-copied", snapshot, code, reason });
        },
      },
    );
    const newest = newestComplete(wanted.filter(({ name }) => copied.has(name.text)));
    if (newest !== undefined) await seen.remember(target, newest);
    report({ type: "copied", source: source.name, target: target.name, ...totals });
    return totals.failed;
  };
  const policy = copyRetryPolicy(options.retries);
  return withTwoStores(options.source, options.target, copy, policy, context.guard);
}
