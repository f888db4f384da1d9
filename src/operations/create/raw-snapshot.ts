import { SpoolFile } from "../../files/spool-file.js";
import type { EtcdOptions } from "../../sources/etcd/cluster.js";
import type { OperationContext } from "../context.js";

/** Where the database of etcd is kept while it is read. */
export interface SpoolSettings {
  /** A folder with room for the database. */
  readonly spoolDir: string;
}

/** A raw snapshot of etcd on this machine. */
export interface SpooledSnapshot {
  readonly file: Pick<SpoolFile, "size" | "read">;
  /** Of the database. */
  readonly revision: number;
  /** 0: not compacted. */
  readonly compactRevision: number;
  /** With the 32 bytes of its own SHA-256 at the end. */
  readonly bytes: number;
  /** Of all of it, in hexadecimal. */
  readonly sha256: string;
  /** Hexadecimal, as etcd prints it. */
  readonly clusterId: string;
  /** The member that it is from. */
  readonly endpoint: string;
  /** Frees its space. */
  close(): Promise<void>;
}

/**
 * Reads the database of a member of etcd, as fast as it sends it: etcd keeps a transaction open meanwhile, and what it frees
 * until then takes up space. A store may be slower, and the revision of the database is only known from the whole of it.
 *
 * @throws EtcdError, `ETCD_AUTH` without the root role; EtcdFileError; BackupToolError `SPOOL`; InterruptedError
 */
export async function spoolRawSnapshot(
  etcd: EtcdOptions,
  { spoolDir }: SpoolSettings,
  { report, signal }: Pick<OperationContext, "report" | "signal">,
): Promise<SpooledSnapshot> {
  // gRPC takes 40 ms of CPU to load.
  const { readRawSnapshot } = await import("../../sources/etcd/snapshot.js");
  const file = await SpoolFile.create(spoolDir, "spool-dir");
  try {
    let total = 0;
    const read = await readRawSnapshot(
      etcd,
      {
        begin: async ({ bytes }) => {
          total = bytes;
          await file.restart(bytes);
        },
        write: async (bytes) => {
          await file.write(bytes);
          report({
            type: "progress",
            phase: "etcd snapshot",
            done: file.size,
            total,
            unit: "bytes",
          });
        },
      },
      signal,
    );
    const { endpoint, clusterId, sha256, atLeast } = read;
    const { revision, compactRevision } = await databaseFacts(file, endpoint, signal);
    if (revision < atLeast) {
      const { EtcdError } = await import("../../sources/etcd/errors.js");
      throw new EtcdError(
        "ETCD_PROTOCOL",
        `etcd ${endpoint} sent its database at revision ${revision}, and it had reached ${atLeast}`,
        { endpoint, operation: "Maintenance/Snapshot" },
      );
    }
    return {
      ...{ file, revision, compactRevision, sha256, clusterId, endpoint },
      bytes: file.size,
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Checks that {@link spoolRawSnapshot} would have a login and a disk for the database: it is asked for, and not read. Resolves
 * with its size in bytes. Throws what that throws.
 */
export async function checkRawSnapshot(
  etcd: EtcdOptions,
  { spoolDir }: SpoolSettings,
  signal: AbortSignal,
): Promise<number> {
  const { readRawSnapshot } = await import("../../sources/etcd/snapshot.js");
  const file = await SpoolFile.create(spoolDir, "spool-dir");
  let size: number | undefined;
  try {
    const sink = {
      begin: async ({ bytes }: { readonly bytes: number }) => {
        await file.restart(bytes);
        size = bytes;
        throw new Error("its size is known");
      },
      write: async () => {},
    };
    const { bytes } = await readRawSnapshot(etcd, sink, signal);
    return bytes;
  } catch (error) {
    if (size === undefined) throw error;
    return size;
  } finally {
    await file.close();
  }
}

async function databaseFacts(file: SpoolFile, endpoint: string, signal: AbortSignal) {
  const { EtcdDatabase } = await import("../../sources/etcd/file/database.js");
  const database = await EtcdDatabase.open(file, `the database of etcd ${endpoint}`);
  return await database.facts(signal);
}
