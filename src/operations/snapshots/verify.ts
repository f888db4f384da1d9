import { FileThread } from "../../threads/file-thread.js";
import type { ReadSelection } from "../../snapshots/read-selection.js";
import { verifySnapshot } from "../../snapshots/verify.js";
import type { StoreConfig } from "../../snapstore/config.js";
import { chooseSnapshot } from "../open/choose-snapshot.js";
import type { StoreContext } from "../context.js";
import { SeenSnapshots } from "../open/seen-snapshots.js";
import { withStore } from "../open/stores.js";

interface SnapshotVerifyOptions {
  readonly store: StoreConfig;
  /** A name, or `latest`. */
  readonly snapshot: string;
  readonly selection: ReadSelection;
}

/** Verifies a snapshot; resolves with the number of damaged files. */
export function verifyStoredSnapshot(
  options: SnapshotVerifyOptions,
  context: StoreContext,
): Promise<number> {
  const { signal, report } = context;
  const seen = new SeenSnapshots(context);
  return withStore(options.store, async (store) => {
    const { name, state, problem } = await chooseSnapshot(store, options.snapshot, seen, signal);
    if (state === "complete" && problem !== undefined) {
      report({ type: "warning", message: `${name.text} in ${store.name}: ${problem}` });
    }
    const place = { snapshot: name.text, store: store.name };
    const thread = new FileThread();
    try {
      const result = await verifySnapshot(store, name.text, {
        selection: options.selection,
        thread,
        signal,
        onProgress: (done, total) =>
          report({ type: "progress", phase: "verify", done, total, unit: "bytes" }),
        onDamage: (damage) => report({ type: "snapshot-damaged", ...place, ...damage }),
      });
      report({ type: "snapshot-verified", ...place, ...result });
      return result.damaged;
    } finally {
      await thread.close();
    }
  });
}
