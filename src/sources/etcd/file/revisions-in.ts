import type { EtcdChange, EtcdRevision } from "../history.js";
import type { EtcdLease } from "../types.js";
import type { EtcdDatabase } from "./database.js";
import { encodeVarint, KeyValueFields, leaseId } from "./key-value.js";

/** Tag of `mod_revision` of `KeyValue` (etcd's kv.proto). */
const MOD_REVISION = 3 << 3;
/** Bytes of changes that are handed out at once, unless one revision has more. */
const BATCH_BYTES = 1 << 20;

/**
 * The revisions above `after` out of a database, as a watch reports them: for a log that a watch cannot continue. Leases
 * that the database still has are named where they come first.
 *
 * @throws EtcdFileError where the database does not have all of these revisions: they are compacted, or one is missing
 * @throws InterruptedError
 */
export async function* revisionsIn(
  database: EtcdDatabase,
  options: {
    readonly after: number;
    /** When all of them were seen, ms since 1970. */
    readonly seenMs: number;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<readonly EtcdRevision[], void, void> {
  const { after, seenMs, signal } = options;
  const { compactRevision } = await database.facts(signal);
  if (compactRevision > after) {
    throw database.damaged(`does not have revision ${after + 1}: it is compacted`);
  }
  const unnamed = await readLeases(database, signal);
  const fields = new KeyValueFields();
  let batch: EtcdRevision[] = [];
  let bytes = 0;
  let open: { revision: number; changes: EtcdChange[]; leases: EtcdLease[] } | undefined;
  let last = after;
  for await (const entries of database.entries(signal, { from: after + 1 })) {
    for (const { main, sub, deleted, value } of entries) {
      if (open?.revision !== main) {
        if (open !== undefined) batch.push({ ...open, seenMs });
        open = { revision: main, changes: [], leases: [] };
        if (main !== last + 1) throw database.damaged(`has revision ${main} after ${last}`);
        last = main;
        if (bytes >= BATCH_BYTES) {
          yield batch;
          batch = [];
          bytes = 0;
        }
      }
      if (sub !== open.changes.length) throw database.damaged(`lacks a change of revision ${main}`);
      // An event of a deletion has the revision too.
      const kv = deleted
        ? Buffer.concat([value, Buffer.of(MOD_REVISION), encodeVarint(BigInt(main))])
        : Buffer.from(value);
      open.changes.push({ deleted, kv });
      bytes += kv.length;
      if (deleted) continue;
      if (!fields.read(kv)) throw database.damaged(`has a damaged change of revision ${main}`);
      const id = leaseId(fields.leaseHigh, fields.leaseLow);
      const grantedTtl = unnamed.get(id);
      if (grantedTtl !== undefined) open.leases.push({ id, grantedTtl });
      unnamed.delete(id);
    }
  }
  if (open !== undefined) yield [...batch, { ...open, seenMs }];
}

async function readLeases(
  database: EtcdDatabase,
  signal: AbortSignal,
): Promise<Map<bigint, number>> {
  const ttls = new Map<bigint, number>();
  for await (const leases of database.leases(signal)) {
    for (const { id, grantedTtl } of leases) ttls.set(id, grantedTtl);
  }
  return ttls;
}
