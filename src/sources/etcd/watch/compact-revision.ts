import type { EtcdConnection } from "../connection.js";
import { EtcdError } from "../errors.js";
import { ZERO_KEY } from "../key-order.js";
import { RANGE } from "../rpc.js";

/** Whether etcd has compacted reads at `revision` away: its compact revision is higher. Linearizable. */
export async function isCompacted(
  connection: EtcdConnection,
  revision: number,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await connection.call(RANGE, { key: ZERO_KEY, revision, count_only: true }, { signal });
    return false;
  } catch (error) {
    if (error instanceof EtcdError && error.code === "ETCD_COMPACTED") return true;
    throw error;
  }
}

/**
 * The compact revision of etcd; 0 when nothing was compacted. It never goes back, so the last known one is usually
 * confirmed by one read of one key; otherwise it is searched. HashKV would tell it, and read the whole database.
 */
export async function findCompactRevision(
  connection: EtcdConnection,
  known: number,
  signal: AbortSignal,
): Promise<number> {
  let compacted = Math.max(1, known);
  if (!(await isCompacted(connection, compacted, signal))) return known;
  let readable = await connection.currentRevision(signal);
  while (readable - compacted > 1) {
    const middle = Math.floor((compacted + readable) / 2);
    if (await isCompacted(connection, middle, signal)) compacted = middle;
    else readable = middle;
  }
  return readable;
}
