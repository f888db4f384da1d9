import { changesDigest } from "../../archive/delta/changes-digest.js";
import { errorMessage } from "../../errors.js";
import { EtcdError } from "../../sources/etcd/errors.js";
import type { EtcdOptions } from "../../sources/etcd/options.js";
import { RevisionWatch } from "../../sources/etcd/watch/revision-watch.js";
import { WatchEnded } from "../../sources/etcd/watch/watch-ended.js";
import type { HistoryWatch, NewestWatch, WatchEnd } from "./history-watch.js";
import type { LogPosition } from "./stream-writer.js";

/** Watches all keys of etcd after a revision, which etcd has to show again with the same changes. */
export async function openEtcdWatch(
  etcd: EtcdOptions,
  { revision, digest, clusterId }: LogPosition,
  onProblem: (message: string) => void,
  signal: AbortSignal,
): Promise<HistoryWatch> {
  const watch = await RevisionWatch.open(
    etcd,
    {
      after: revision,
      overlap: digest && { digest, digestOf: changesDigest },
      clusterId,
      onProblem: (error) => onProblem(errorMessage(error)),
    },
    signal,
  );
  return {
    clusterId: watch.clusterId,
    get isStartProven() {
      return watch.overlapProven;
    },
    run: (sink) => watch.run(sink),
    currentRevision: (inner) => watch.currentRevision(inner),
    compactRevision: (inner) => watch.compactRevision(inner),
    forgetLeases: () => watch.forgetLeases(),
    close: () => watch.close(),
  };
}

/** Watches all keys of etcd from its last revision on, or from the next one where it has none yet or that is compacted. */
export async function openNewestWatch(
  etcd: EtcdOptions,
  onProblem: (message: string) => void,
  signal: AbortSignal,
): Promise<NewestWatch> {
  const first = await openEtcdWatch(
    etcd,
    { revision: 0, digest: undefined, clusterId: undefined },
    onProblem,
    signal,
  );
  try {
    const revision = await first.currentRevision(signal);
    // Revision 1 is that of an etcd without changes.
    const after = Math.max(1, revision - 1, await first.compactRevision(signal));
    const position = { revision: after, digest: undefined, clusterId: first.clusterId };
    return { watch: await openEtcdWatch(etcd, position, onProblem, signal), after };
  } finally {
    first.close();
  }
}

/** How the log goes on after an error of etcd. */
export function watchEndOf(error: unknown): WatchEnd {
  if (error instanceof EtcdError && error.code === "ETCD_AUTH") return { kind: "denied" };
  if (!(error instanceof WatchEnded)) return { kind: "failed" };
  switch (error.reason) {
    case "denied":
      return { kind: "denied" };
    case "stuck":
      return { kind: "failed" };
    case "restored":
      return { kind: "broken", reason: error.message, isOtherHistory: true };
    default:
      return { kind: "broken", reason: error.message, isOtherHistory: false };
  }
}
