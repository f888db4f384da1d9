import { throwIfAborted } from "../../../errors.js";
import type { EtcdRevision } from "../history.js";
import type { EtcdLease } from "../types.js";
import type { DatabaseEntry, EtcdDatabase } from "./database.js";
import { logEntries } from "./log-entries.js";

/**
 * The changes of a database up to a revision, and then those of the log after it.
 *
 * @param onLease called with each lease that the log names
 */
export async function* changesUpTo(
  base: EtcdDatabase,
  log: AsyncIterable<readonly EtcdRevision[]>,
  { after, revision, signal }: { after: number; revision: number; signal: AbortSignal },
  onLease: (lease: EtcdLease) => void = () => {},
): AsyncGenerator<readonly DatabaseEntry[], void, void> {
  for await (const entries of base.entries(signal)) {
    if ((entries.at(-1)?.main ?? 0) <= revision) {
      yield entries;
      continue;
    }
    yield entries.filter(({ main }) => main <= revision);
    return;
  }
  for await (const batch of logEntries(log, { after, upTo: revision, where: base.where })) {
    throwIfAborted(signal);
    batch.leases.forEach(onLease);
    yield batch.entries;
  }
}
