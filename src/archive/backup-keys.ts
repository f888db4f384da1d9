import { randomBytes, timingSafeEqual } from "node:crypto";
import { ArchiveError } from "./errors.js";
import { BACKUP_ID_BYTES, FileType, KEY_BYTES, MAC_BYTES, NONCE_BYTES } from "./format.js";
import { encodePassphraseSlot, type Header, type PassphraseSlot } from "./header.js";
import {
  checkKdfCosts,
  derivePassphraseKey,
  type KdfCost,
  type KdfDemand,
  kdfWork,
  unusualDemand,
} from "./passphrase-key.js";
import { wrappers } from "./sodium.js";

const sodium = await wrappers();

/** A reader tries no more passphrase slots than this: each costs seconds and memory. */
const MAX_PASSPHRASE_SLOTS = 4;

const CONTEXTS = {
  [FileType.archive]: "BKPTARCH",
  [FileType.index]: "BKPTINDX",
  [FileType.metadata]: "BKPTMETA",
} as const;

/**
 * Turns one passphrase into slot keys, each (salt, cost) once: the backups of a chain share salt and
 * cost, so a whole chain costs one Argon2id.
 */
export class PassphraseKeys {
  readonly #passphrase: Uint8Array;
  readonly #onDemand: (demand: KdfDemand) => void;
  readonly #derived = new Map<string, Promise<Uint8Array>>();
  #unproven = 0;

  /** `onDemand` is called before more is spent than what `create` itself asks for. */
  constructor(passphrase: Uint8Array, onDemand: (demand: KdfDemand) => void = () => {}) {
    this.#passphrase = passphrase;
    this.#onDemand = onDemand;
  }

  derive(salt: Uint8Array, cost: KdfCost): Promise<Uint8Array> {
    const id = `${Buffer.from(salt).toString("hex")} ${cost.memoryKiB} ${cost.passes} ${cost.lanes}`;
    return this.once(id, (passphrase) => {
      this.#unproven += kdfWork(cost);
      return derivePassphraseKey(passphrase, salt, cost);
    });
  }

  /**
   * Checks what the slots of a header ask for before any is tried; all headers that are not known to be authentic share
   * one bound. Throws DAMAGED.
   */
  checkDemand(costs: readonly KdfCost[], file: string): void {
    checkKdfCosts(costs, file, this.#unproven);
    const demand = unusualDemand(costs, file);
    if (demand !== undefined) this.#onDemand(demand);
  }

  /** What was spent so far was asked for by someone who knows the passphrase. */
  proveDemand(): void {
    this.#unproven = 0;
  }

  /** What `derive` makes of the passphrase, once for each `id`. */
  once(id: string, derive: (passphrase: Uint8Array) => Promise<Uint8Array>): Promise<Uint8Array> {
    let key = this.#derived.get(id);
    if (key === undefined) {
      key = derive(this.#passphrase);
      this.#derived.set(id, key);
    }
    return key;
  }
}

/** The keys of one backup: its data key, and what follows from it by crypto_kdf (BLAKE2b). */
export class BackupKeys {
  readonly backupId: Uint8Array;
  readonly slot: PassphraseSlot;
  readonly slotBytes: Uint8Array;
  readonly #dataKey: Uint8Array;
  readonly #headerKey: Uint8Array;

  private constructor(backupId: Uint8Array, dataKey: Uint8Array, slot: PassphraseSlot) {
    this.backupId = backupId;
    this.#dataKey = dataKey;
    this.slot = slot;
    this.slotBytes = encodePassphraseSlot(slot);
    this.#headerKey = sodium.crypto_kdf_derive_from_key(KEY_BYTES, 0, "BKPTHEAD", dataKey);
  }

  /** Keys of a new backup. `like` gives salt and cost of its base, which the same passphrase opens. */
  static async create(
    passphrase: PassphraseKeys,
    cost: KdfCost,
    like?: PassphraseSlot,
  ): Promise<BackupKeys> {
    const same =
      like !== undefined &&
      like.cost.memoryKiB === cost.memoryKiB &&
      like.cost.passes === cost.passes &&
      like.cost.lanes === cost.lanes;
    const salt = same ? like.salt : randomBytes(16);
    const dataKey = randomBytes(KEY_BYTES);
    const nonce = randomBytes(NONCE_BYTES);
    const wrapping = await passphrase.derive(salt, cost);
    passphrase.proveDemand();
    const sealedKey = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
      dataKey,
      null,
      null,
      nonce,
      wrapping,
    );
    const slot = { salt, cost, nonce, sealedKey };
    return new BackupKeys(randomBytes(BACKUP_ID_BYTES), dataKey, slot);
  }

  /** Keys of the backup whose METADATA.bin has this header. Throws WRONG_PASSPHRASE. */
  static async open(passphrase: PassphraseKeys, header: Header, file: string): Promise<BackupKeys> {
    const slots = header.passphraseSlots.slice(0, MAX_PASSPHRASE_SLOTS);
    passphrase.checkDemand(
      slots.map(({ cost }) => cost),
      file,
    );
    for (const slot of slots) {
      const wrapping = await passphrase.derive(slot.salt, slot.cost);
      try {
        const dataKey = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
          null,
          slot.sealedKey,
          null,
          slot.nonce,
          wrapping,
        );
        return new BackupKeys(header.backupId, dataKey, slot);
      } catch {
        // This slot is for another passphrase.
      }
    }
    throw new ArchiveError("WRONG_PASSPHRASE", "no key slot opens with this passphrase", {
      file,
      hint: "check the passphrase",
    });
  }

  /** Keyed BLAKE2b-256 of a header. */
  headerMac(authenticated: Uint8Array): Uint8Array {
    return sodium.crypto_generichash(MAC_BYTES, authenticated, this.#headerKey);
  }

  headerIsAuthentic(header: Header): boolean {
    return timingSafeEqual(this.headerMac(header.authenticated), header.mac);
  }

  /** The key of one file: no other file shares it, so chunk numbers serve as nonces. */
  fileKey(type: FileType, number: number): Uint8Array {
    return sodium.crypto_kdf_derive_from_key(KEY_BYTES, number, CONTEXTS[type], this.#dataKey);
  }
}
