import { SealPool } from "../../archive/seal/seal-pool.js";
import type { OperationContext } from "../context.js";
import type { BackupLocation } from "../open/backup-location.js";
import { passphraseKeys } from "../open/derived-keys.js";
import type { HistoryAccess } from "./history-access.js";
import { HistoryLog } from "./history-log.js";
import { openHistory } from "./stored-history.js";

export interface HistoryLocation {
  readonly location: BackupLocation;
}

/** Opens the history of etcd in a folder or in stores for `use`. Throws what {@link openHistory} throws. */
export async function withHistory<T>(
  { location }: HistoryLocation,
  context: OperationContext,
  use: (access: HistoryAccess) => Promise<T>,
): Promise<T> {
  const passphrase = passphraseKeys(await context.passphrase(), context.report);
  const history = await openHistory(location, context);
  const pool = new SealPool();
  try {
    const log = new HistoryLog(history, passphrase, pool);
    return await use({ history, passphrase, pool, log });
  } finally {
    await pool.close();
    await history.close();
  }
}
