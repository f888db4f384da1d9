import { rmSync } from "node:fs";
import { compareDatabases } from "../../../src/sources/etcd/file/compare-databases.js";
import { EtcdDatabase } from "../../../src/sources/etcd/file/database.js";
import { EtcdFileError } from "../../../src/sources/etcd/file/errors.js";
import type { RandomAccess } from "../../../src/sources/etcd/file/random-access.js";
import { recordsAt } from "../../../src/sources/etcd/file/records-at.js";
import { checkSnapshotDigest } from "../../../src/sources/etcd/file/snapshot-digest.js";
import { writeDatabase } from "../../../src/sources/etcd/file/write/write-database.js";
import type { WriteMethod } from "../../../src/sources/etcd/file/write/write-options.js";

const { signal } = new AbortController();
/** No operation reads a file more often than this. */
const MOST_READS = 12;

/** A file in memory. It fails once it was read much more often than any operation needs. */
export function inMemory(bytes: Buffer): RandomAccess {
  let left = MOST_READS * (bytes.length + (1 << 20));
  return {
    size: bytes.length,
    read: async (target, position) => {
      left -= target.length;
      if (left < 0) throw new Error("the file is read again and again");
      return bytes.copy(target, 0, position, position + target.length);
    },
  };
}

/**
 * Does everything with a database file that can be done. Each operation may reject the file; whatever else is thrown is a
 * fault. Resolves with the number of those that rejected it.
 *
 * @param out path for files that are made and removed
 */
export async function readEverything(bytes: Buffer, out: string): Promise<number> {
  let rejected = 0;
  const attempt = async (work: (database: EtcdDatabase) => Promise<unknown>): Promise<void> => {
    try {
      await work(await EtcdDatabase.open(inMemory(bytes), "file"));
    } catch (error) {
      if (!(error instanceof EtcdFileError)) throw error;
      rejected++;
    }
  };
  const all = async (batches: AsyncIterable<unknown>): Promise<void> => {
    for await (const _ of batches);
  };
  await attempt((database) => checkSnapshotDigest(database.file, "file", signal));
  await attempt((database) => database.facts(signal));
  await attempt((database) => all(database.entries(signal)));
  await attempt((database) => all(database.entries(signal, { from: 20 })));
  await attempt((database) => all(database.leases(signal)));
  await attempt(async (database) => {
    const { revision } = await database.facts(signal);
    await all((await recordsAt(database, nothing, revision, signal)).batches());
  });
  await attempt((database) => compareDatabases(database, nothing(), database, signal));
  for (const method of ["patch", "truncate", "repack", undefined] as const) {
    await attempt((database) => write(database, out, method));
  }
  return rejected;
}

async function write(
  database: EtcdDatabase,
  out: string,
  method: WriteMethod | undefined,
): Promise<void> {
  const { revision, compactRevision } = await database.facts(signal);
  const isCut = method === "truncate" && compactRevision < revision;
  const options = {
    revision: revision - (isCut ? 1 : 0),
    unknownLeaseTtlSeconds: 60,
    method,
    signal,
  };
  try {
    await writeDatabase(database, nothing(), out, options);
  } finally {
    rmSync(out, { force: true });
  }
}

async function* nothing(): AsyncGenerator<never[]> {}
