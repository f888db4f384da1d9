import { BackupKeys, PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import { KDF_COSTS, type KdfCost, type KdfName } from "../../archive/crypto/passphrase-key.js";
import { DeltaWriter } from "../../archive/delta/delta-writer.js";
import type { PassphraseSlot } from "../../archive/header.js";
import { SealPool } from "../../archive/seal/seal-pool.js";
import { raceAbort } from "../../flow/race-abort.js";
import type { StreamKeys } from "./delta-stream.js";

interface KeyringParts {
  passphrase(signal: AbortSignal): Promise<Uint8Array>;
  kdf(): KdfName | KdfCost;
}

/** Makes the keys of streams, and opens those of others. The passphrase is read each time, and not kept. */
export class StreamKeyring {
  readonly #parts: KeyringParts;
  /** With the same salt, a restore over many streams derives one key. */
  #like: PassphraseSlot | undefined;
  #pool: SealPool | undefined;

  constructor(parts: KeyringParts) {
    this.#parts = parts;
  }

  /** Threads that seal and open; they end with {@link close}. */
  get pool(): SealPool {
    this.#pool ??= new SealPool(1);
    return this.#pool;
  }

  async passphrase(signal: AbortSignal): Promise<PassphraseKeys> {
    return new PassphraseKeys(await this.#parts.passphrase(signal));
  }

  /** Keys for a new stream, or for the base of one. */
  async newKeys(signal: AbortSignal): Promise<BackupKeys> {
    const passphrase = await this.passphrase(signal);
    const kdf = this.#parts.kdf();
    const cost = typeof kdf === "string" ? KDF_COSTS[kdf] : kdf;
    const keys = await raceAbort(BackupKeys.create(passphrase.forNew, cost, this.#like), signal);
    this.#like = keys.slot;
    return keys;
  }

  streamOf(keys: BackupKeys): StreamKeys {
    return {
      id: Buffer.from(keys.backupId).toString("hex"),
      begin: (facts) => new DeltaWriter({ ...facts, keys, pool: this.pool }),
    };
  }

  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.close();
  }
}
