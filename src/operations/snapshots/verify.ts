import { BackupToolError } from "../../errors.js";
import { FileThread } from "../../threads/file-thread.js";
import type { ReadSelection } from "../../snapshots/read-selection.js";
import { readStream } from "../../snapshots/streams/list-streams.js";
import { parseStreamName } from "../../snapshots/streams/stream-name.js";
import { verifyStream } from "../../snapshots/streams/verify-stream.js";
import { type VerifyOptions, type VerifyResult, verifySnapshot } from "../../snapshots/verify.js";
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

/** Verifies a snapshot, or a stream of deltas by its name; resolves with the number of damaged files. */
export function verifyStoredSnapshot(
  options: SnapshotVerifyOptions,
  context: StoreContext,
): Promise<number> {
  const { signal, report } = context;
  const seen = new SeenSnapshots(context);
  const stream = parseStreamName(options.snapshot);
  return withStore(options.store, async (store) => {
    let verify: (how: VerifyOptions) => Promise<VerifyResult>;
    let snapshot = options.snapshot;
    if (stream !== undefined) {
      const found = await readStream(store, stream, signal);
      if (found === undefined) {
        throw new BackupToolError("NO_SNAPSHOT", `${store.name} holds no stream ${snapshot}`);
      }
      verify = (how) => verifyStream(store, found, how);
    } else {
      const { name, state, problem } = await chooseSnapshot(store, snapshot, seen, signal);
      if (state === "complete" && problem !== undefined) {
        report({ type: "warning", message: `${name.text} in ${store.name}: ${problem}` });
      }
      snapshot = name.text;
      verify = (how) => verifySnapshot(store, snapshot, how);
    }
    const place = { snapshot, store: store.name };
    const thread = new FileThread();
    try {
      const result = await verify({
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
