import type { DatabaseFacts, EtcdDatabase } from "../../sources/etcd/file/database.js";
import { encodeVarint } from "../../sources/etcd/file/key-value.js";
import type { EtcdChange } from "../../sources/etcd/history.js";

/** Tag of `mod_revision` in etcd's `KeyValue` (kv.proto): field 3, a varint. */
const MOD_REVISION = 3 << 3;

/**
 * The changes of the last revision in a database, as a watch reports them; undefined where a compaction may have removed
 * some. A log that follows the database knows the same.
 */
export async function lastChanges(
  database: EtcdDatabase,
  { revision, compactRevision }: Pick<DatabaseFacts, "revision" | "compactRevision">,
  signal: AbortSignal,
): Promise<EtcdChange[] | undefined> {
  if (compactRevision >= revision) return undefined;
  return await remainingChanges(database, revision, signal);
}

/**
 * The changes of a revision that a database still has; undefined where there are none. A compaction at that revision removes
 * the deletions.
 */
export async function remainingChanges(
  database: EtcdDatabase,
  revision: number,
  signal: AbortSignal,
): Promise<EtcdChange[] | undefined> {
  const changes: EtcdChange[] = [];
  for await (const entries of database.entries(signal, { from: revision })) {
    for (const { main, deleted, value } of entries) {
      if (main > revision) return changes.length === 0 ? undefined : changes;
      changes.push({ deleted, kv: deleted ? deletionOf(value, revision) : Buffer.from(value) });
    }
  }
  return changes.length === 0 ? undefined : changes;
}

/** The database has the key of a deletion alone, and a watch reports its revision too. */
function deletionOf(key: Buffer, revision: number): Buffer {
  return Buffer.concat([key, Buffer.of(MOD_REVISION), encodeVarint(BigInt(revision))]);
}
