import { BackupToolError, throwIfAborted } from "../../errors.js";
import type { BackupReader } from "../backup-reader.js";
import type { RawSnapshot } from "../metadata.js";
import { SnapshotPieces } from "./snapshot-pieces.js";

/** Takes the next bytes of a raw snapshot, which it may keep. */
export type SnapshotSink = (bytes: Uint8Array) => Promise<void>;

/**
 * Writes the raw snapshot of a backup to `sink`, in order. Only the ARCHIVE files that hold it are read, each from its
 * start to the last piece in it, so the objects of Ceph beside it cost nothing.
 *
 * The SHA-256 is known to be right only once this has resolved. Throws NO_RAW_SNAPSHOT where the backup has none, DAMAGED,
 * and MISSING_FILE.
 */
export async function extractRawSnapshot(
  backup: BackupReader,
  sink: SnapshotSink,
  signal: AbortSignal,
): Promise<RawSnapshot> {
  const { snapshot } = backup.metadata.etcd ?? {};
  if (!snapshot) {
    throw new BackupToolError("NO_RAW_SNAPSHOT", `${backup.where} holds no raw snapshot of etcd`, {
      hint: "raw snapshots are in backups that were made with the etcd mode raw or both",
    });
  }
  const pieces = new SnapshotPieces(snapshot);
  for (let file = snapshot.file; file < backup.archives.length && !pieces.complete; file++) {
    for await (const { events, chunk } of backup.readArchive(file, { signal })) {
      // Contents of entries are copies.
      chunk.release();
      for (const event of events) {
        throwIfAborted(signal);
        if (event.type !== "entry" || event.entry.kind !== "snapshot") continue;
        const { number } = event.entry;
        pieces.add(event.content, { number, file, offset: event.offset });
        await sink(event.content);
        if (pieces.complete) break;
      }
      if (pieces.complete) break;
    }
  }
  pieces.end();
  return snapshot;
}
