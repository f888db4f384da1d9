import { changesDigest } from "../../archive/delta/changes-digest.js";
import { readLog } from "../../snapshots/streams/log-reader.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoredStream } from "../../snapshots/streams/stored-stream.js";
import type { LogPosition } from "./stream-writer.js";
import { deltaEndingWith, type ListedHistory } from "./stored-log.js";
import type { StreamKeyring } from "./stream-keyring.js";

/**
 * The position of a log that ends with a revision: the delta that has it is read to its end. Undefined if none ends with it.
 *
 * @throws ArchiveError, LogError where it cannot be opened
 */
export async function readLogEnd(
  revision: number,
  copies: readonly { readonly store: SnapStore; readonly history: ListedHistory }[],
  keyring: StreamKeyring,
  signal: AbortSignal,
): Promise<LogPosition | undefined> {
  const found = copies.flatMap(({ store, history }) => {
    const streams = deltaEndingWith(revision, history);
    return streams === undefined ? [] : [{ store, stream: streams.stream }];
  });
  const newest = found.reduce<StoredStream | undefined>(
    (one, { stream }) => (one === undefined || stream.name.time > one.name.time ? stream : one),
    undefined,
  );
  if (newest === undefined) return undefined;
  const sites = found
    .filter(({ stream }) => stream.name.text === newest.name.text)
    .map(({ store, stream }) => ({ store, streams: [stream] }));
  let position: LogPosition | undefined;
  let clusterId: string | undefined;
  const log = readLog(sites, {
    after: revision - 1,
    upTo: revision,
    passphrase: await keyring.passphrase(signal),
    pool: keyring.pool,
    signal,
    onDelta: ({ head }) => {
      clusterId = head.clusterId;
    },
  });
  for await (const revisions of log) {
    const last = revisions.at(-1);
    if (last?.revision !== revision) continue;
    position = { revision, digest: changesDigest(last.changes), clusterId };
  }
  return position;
}
