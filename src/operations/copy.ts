import { type CopySettings, copyStore } from "../replication/copy.js";
import type { StoreConfig } from "../snapstore/config.js";
import type { OperationContext } from "./context.js";
import { withTwoStores } from "./stores.js";

export interface CopyOptions extends Omit<CopySettings, "signal"> {
  readonly source: StoreConfig;
  readonly target: StoreConfig;
}

/** Copies snapshots from one store to another, once. Resolves with how many are not as they should be. */
export function copySnapshots(
  options: CopyOptions,
  { signal, report }: Pick<OperationContext, "signal" | "report">,
): Promise<number> {
  return withTwoStores(options.source, options.target, async (source, target) => {
    const totals = await copyStore(
      source,
      target,
      { ...options, signal },
      {
        onProgress: (done, total) =>
          report({ type: "progress", phase: "copy", done, total, unit: "bytes" }),
        onCopied: (snapshot, result) => report({ type: "snapshot-copied", snapshot, ...result }),
        onFailed: (snapshot, { code, message, hint }) => {
          const reason = hint === undefined ? message : `${message}; ${hint}`;
          report({ type: "snapshot-not-copied", snapshot, code, reason });
        },
      },
    );
    report({ type: "copied", source: source.name, target: target.name, ...totals });
    return totals.failed;
  });
}
