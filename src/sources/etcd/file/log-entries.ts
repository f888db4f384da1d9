import type { EtcdRevision } from "../history.js";
import type { EtcdLease } from "../types.js";
import type { DatabaseEntry } from "./database.js";
import { EtcdFileError } from "./errors.js";
import { encodeDeletion, KeyValueFields } from "./key-value.js";

/** Revisions after a database. */
export interface LogRange {
  /** Revision of the database; what the log has up to it is left out. */
  readonly after: number;
  /** The last revision that is wanted. */
  readonly upTo: number;
  /** Names the database in errors. */
  readonly where: string;
}

/**
 * The changes of a log as the database would hold them, and the leases that they are the first to name. They are checked to
 * be those of the revisions after the database, one after the other.
 *
 * @param log is not read where the database is not before `upTo`
 * @throws EtcdFileError `ETCD_FILE_LOG`, `ETCD_FILE_REVISION` where the log ends before `upTo`
 */
export async function* logEntries(
  log: AsyncIterable<readonly EtcdRevision[]>,
  { after, upTo, where }: LogRange,
): AsyncGenerator<{ entries: DatabaseEntry[]; leases: EtcdLease[] }, void, void> {
  if (after >= upTo) return;
  const fields = new KeyValueFields();
  let last = after;
  for await (const batch of log) {
    const entries: DatabaseEntry[] = [];
    const leases: EtcdLease[] = [];
    for (const revision of batch) {
      if (revision.revision <= after || last === upTo) continue;
      if (revision.revision !== last + 1) {
        const problem = `is followed by revision ${revision.revision} where ${last + 1} is due`;
        throw new EtcdFileError("ETCD_FILE_LOG", where, problem);
      }
      last++;
      if (revision.changes.length === 0) {
        throw new EtcdFileError("ETCD_FILE_LOG", where, `revision ${last} has no changes`);
      }
      for (const [sub, { deleted, kv }] of revision.changes.entries()) {
        const bytes = Buffer.isBuffer(kv) ? kv : Buffer.from(kv.buffer, kv.byteOffset, kv.length);
        if (!fields.read(bytes) || fields.modRevision !== last) {
          throw new EtcdFileError(
            "ETCD_FILE_LOG",
            where,
            `a change of revision ${last} is damaged`,
          );
        }
        const value = deleted ? encodeDeletion(fields.key) : bytes;
        entries.push({ main: last, sub, deleted, value });
      }
      for (const lease of revision.leases) leases.push(lease);
    }
    if (entries.length > 0) yield { entries, leases };
    if (last === upTo) return;
  }
  throw new EtcdFileError(
    "ETCD_FILE_REVISION",
    where,
    `changes after it end at revision ${last}, before ${upTo}`,
  );
}
