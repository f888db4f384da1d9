import type { BackupReader } from "../../archive/backup-reader.js";
import { damaged } from "../../archive/errors.js";
import { METADATA_NAME } from "../../archive/format.js";
import { extractRawSnapshot } from "../../archive/snapshot/extract-snapshot.js";
import { SpoolFile } from "../../files/spool-file.js";
import { type DatabaseFacts, EtcdDatabase } from "../../sources/etcd/file/database.js";
import type { OperationContext } from "../context.js";

/** The raw snapshot of a backup, open for reading at any place. */
export interface BaseDatabase {
  readonly database: EtcdDatabase;
  readonly facts: DatabaseFacts;
  /** Of the etcd cluster, hexadecimal; undefined where it is not known. */
  readonly clusterId: string | undefined;
  close(): Promise<void>;
}

/** An empty file that a raw snapshot is taken into. */
export interface BaseFile {
  /** Bytes of the snapshot so far. */
  readonly size: number;
  /** Begins, for about `bytes` bytes. */
  restart(bytes: number): Promise<void>;
  /** Appends bytes, which stay as they are. */
  write(bytes: Uint8Array): Promise<void>;
  read(target: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

/**
 * Takes the raw snapshot out of a backup into an encrypted file without a name. Throws ArchiveError, EtcdFileError,
 * NO_RAW_SNAPSHOT, `SPOOL`.
 */
export async function openBaseDatabase(
  backup: BackupReader,
  spoolDir: string,
  context: Pick<OperationContext, "report" | "signal">,
): Promise<BaseDatabase> {
  return await openBaseIn(await SpoolFile.create(spoolDir, "spool-dir"), backup, context);
}

/** Takes the raw snapshot out of a backup into a file, and closes it after a failure. Throws as {@link openBaseDatabase}. */
export async function openBaseIn(
  file: BaseFile,
  backup: BackupReader,
  { report, signal }: Pick<OperationContext, "report" | "signal">,
): Promise<BaseDatabase> {
  try {
    const expected = backup.metadata.etcd?.snapshot;
    const total = expected?.bytes ?? 0;
    await file.restart(total);
    const { revision, compactRevision } = await extractRawSnapshot(
      backup,
      async (bytes) => {
        await file.write(bytes);
        report({ type: "progress", phase: "read", done: file.size, total, unit: "bytes" });
      },
      signal,
    );
    const database = await EtcdDatabase.open(file, `the raw snapshot in ${backup.where}`);
    const facts = await database.facts(signal);
    if (facts.revision !== revision || facts.compactRevision !== compactRevision) {
      const [is, says] = [facts, { revision, compactRevision }].map(
        (one) => `revision ${one.revision}, compacted at ${one.compactRevision}`,
      );
      throw damaged(`its raw snapshot has ${is}, and not ${says}`, { file: METADATA_NAME });
    }
    const clusterId = backup.metadata.etcd?.clusterId || undefined;
    return { database, facts, clusterId, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}
