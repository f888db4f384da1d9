import { createHash } from "node:crypto";
import { throwIfAborted } from "../../errors.js";
import type { BackupFile } from "../backup-files.js";
import type { BackupWriter } from "../backup-writer.js";
import { ArchiveError } from "../errors.js";
import { SNAPSHOT_PIECE_BYTES } from "../format.js";
import type { RawSnapshot } from "../metadata.js";

/** Bytes of one read. */
const PART_BYTES = 2 << 20;

/** A raw snapshot of etcd in a file. */
export type SnapshotSource = Pick<BackupFile, "size" | "read">;

/**
 * Writes a raw snapshot into a backup, from the start of an ARCHIVE file on. Returns where it is, and its SHA-256. Throws
 * DAMAGED where `source` ends before its size.
 */
export async function writeSnapshot(
  writer: BackupWriter,
  source: SnapshotSource,
  options: { readonly signal: AbortSignal; readonly onProgress?: (bytes: number) => void },
): Promise<Pick<RawSnapshot, "bytes" | "sha256" | "file" | "firstPiece">> {
  const { size } = source;
  const file = await writer.beginFile();
  const firstPiece = writer.snapshotPieces;
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafeSlow(Math.min(PART_BYTES, size));
  for (let done = 0; done < size; ) {
    const end = Math.min(size, done + SNAPSHOT_PIECE_BYTES);
    // The first piece begins the file, however short the files are to be.
    if (done > 0) await writer.place(end - done);
    writer.beginSnapshotPiece(end - done);
    while (done < end) {
      throwIfAborted(options.signal);
      const read = await source.read(buffer.subarray(0, Math.min(PART_BYTES, end - done)), done);
      if (read === 0) {
        throw new ArchiveError("DAMAGED", `the raw snapshot ends at ${done} of ${size} bytes`);
      }
      const part = buffer.subarray(0, read);
      hash.update(part);
      writer.copiedData(part);
      done += read;
      await writer.ready();
    }
    writer.endData();
    options.onProgress?.(done);
  }
  return { bytes: size, sha256: hash.digest("hex"), file, firstPiece };
}
