import type { PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import type { SealPool } from "../../archive/seal/seal-pool.js";
import type { HistoryLog } from "./history-log.js";
import type { HistoryContents } from "./stored-history.js";

/** A history of etcd that is open for reading. */
export interface HistoryAccess {
  readonly history: HistoryContents;
  readonly passphrase: PassphraseKeys;
  readonly pool: SealPool;
  readonly log: HistoryLog;
}
