import { type FileHandle, open, rm } from "node:fs/promises";
import { throwIfAborted } from "../../../../errors.js";
import type { EtcdRevision } from "../../history.js";
import type { DatabaseFacts, EtcdDatabase } from "../database.js";
import { EtcdFileError } from "../errors.js";
import { DatabaseWriter, type WriterOptions } from "./database-writer.js";
import { EarlySync } from "./early-sync.js";
import type { WriteOptions, WrittenDatabase } from "./write-options.js";

export interface WriteFileOptions extends WriteOptions {
  /** False for a file that is read at once and then removed. Default: it is on the disk when it is written. */
  readonly sync?: boolean | undefined;
}

/**
 * Writes the database of a revision as a snapshot that `etcdctl snapshot restore` takes.
 *
 * @param log the revisions after the base in ascending order; it is not read where the base holds the revision
 * @param out path of a new file; it is removed after a failure
 * @throws EtcdFileError, InterruptedError
 */
export async function writeDatabase(
  base: EtcdDatabase,
  log: AsyncIterable<readonly EtcdRevision[]>,
  out: string,
  options: WriteFileOptions,
): Promise<WrittenDatabase> {
  const handle = await open(out, "wx+", 0o600).catch((error) => {
    throw ioError(out, error);
  });
  const sync = options.sync === false ? undefined : new EarlySync(handle);
  const onProgress = (bytes: number): void => {
    sync?.wrote(bytes);
    options.onProgress?.(bytes);
  };
  try {
    const file = { handle, where: out };
    const written = await writeDatabaseInto(base, log, file, { ...options, onProgress });
    await sync?.finish();
    await handle.close();
    return written;
  } catch (error) {
    await handle.close();
    await rm(out, { force: true });
    throw ioError(out, error);
  }
}

/** An open file, for reading and writing. */
export interface DatabaseFile {
  readonly handle: FileHandle;
  /** Names it in errors. */
  readonly where: string;
}

/**
 * As {@link writeDatabase}, into an empty file, or into that of the base: then the base must not be used any more, also
 * after a failure, and `repack` is not possible. The file is not brought to the disk.
 */
export async function writeDatabaseInto(
  base: EtcdDatabase,
  log: AsyncIterable<readonly EtcdRevision[]>,
  { handle, where }: DatabaseFile,
  options: WriterOptions,
): Promise<WrittenDatabase> {
  throwIfAborted(options.signal);
  const facts = await base.facts(options.signal);
  checkRevision(base, facts, options);
  try {
    return await new DatabaseWriter(base, facts, handle, options).run(log);
  } catch (error) {
    throw ioError(where, error);
  }
}

/** What the system says, with the name of the file; every other error as it is. */
function ioError(out: string, error: unknown): unknown {
  if (!(error instanceof Error && "syscall" in error)) return error;
  const problem = `cannot be written: ${error.message}`;
  return new EtcdFileError("ETCD_FILE_IO", out, problem, { cause: error });
}

function checkRevision(
  base: EtcdDatabase,
  { compactRevision }: DatabaseFacts,
  { revision, compactRevision: later = 0, bump = 0, unknownLeaseTtlSeconds: ttl }: WriteOptions,
): void {
  const fail = (problem: string): never => {
    throw new EtcdFileError("ETCD_FILE_REVISION", base.where, problem);
  };
  if (revision < compactRevision) {
    fail(`no longer holds revision ${revision}: it is compacted up to ${compactRevision}`);
  }
  if (later > revision) fail(`a compaction at ${later} is after revision ${revision}`);
  if (!Number.isSafeInteger(bump) || bump < 0 || !Number.isSafeInteger(revision + bump)) {
    fail(`revision ${revision} cannot be raised by ${bump}`);
  }
  if (!Number.isSafeInteger(ttl) || ttl <= 0) throw new RangeError(`a TTL of ${ttl} seconds`);
}
