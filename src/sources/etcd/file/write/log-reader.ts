import type { EtcdChange, EtcdRevision } from "../../history.js";
import { EtcdFileError } from "../errors.js";
import type { KeyValueFields } from "../key-value.js";

/**
 * Checks that the changes of a log are those of the revisions after a database, one after the other, and gives them up to
 * a revision.
 *
 * @param after revision of the database; what the log has up to it is left out
 * @throws EtcdFileError `ETCD_FILE_LOG`, `ETCD_FILE_REVISION` where the log ends before `upTo`
 */
export async function* revisionsBetween(
  log: AsyncIterable<readonly EtcdRevision[]>,
  { after, upTo, where }: { readonly after: number; readonly upTo: number; readonly where: string },
): AsyncGenerator<readonly EtcdRevision[], void, void> {
  if (after >= upTo) return;
  let last = after;
  for await (const batch of log) {
    const wanted: EtcdRevision[] = [];
    for (const revision of batch) {
      if (revision.revision <= after || last === upTo) continue;
      if (revision.revision !== last + 1) {
        const problem = `is followed by revision ${revision.revision} where ${last + 1} is due`;
        throw new EtcdFileError("ETCD_FILE_LOG", where, problem);
      }
      if (revision.changes.length === 0) {
        throw new EtcdFileError("ETCD_FILE_LOG", where, `revision ${last + 1} has no changes`);
      }
      last++;
      wanted.push(revision);
    }
    if (wanted.length > 0) yield wanted;
    if (last === upTo) return;
  }
  throw new EtcdFileError(
    "ETCD_FILE_REVISION",
    where,
    `changes after it end at revision ${last}, before ${upTo}`,
  );
}

/** Reads the message of a change into `fields`. */
export function readChange(
  { kv }: EtcdChange,
  revision: number,
  where: string,
  fields: KeyValueFields,
): void {
  const bytes = Buffer.isBuffer(kv) ? kv : Buffer.from(kv.buffer, kv.byteOffset, kv.length);
  if (fields.read(bytes) && fields.modRevision === revision) return;
  throw new EtcdFileError("ETCD_FILE_LOG", where, `a change of revision ${revision} is damaged`);
}
