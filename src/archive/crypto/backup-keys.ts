import { randomBytes, timingSafeEqual } from "node:crypto";
import type { UsageError } from "../../errors.js";
import { ArchiveError } from "../errors.js";
import {
  BACKUP_ID_BYTES,
  FileType,
  KEY_BYTES,
  MAC_BYTES,
  NONCE_BYTES,
  TAG_BYTES,
} from "../format.js";
import { encodePassphraseSlot, type Header, type PassphraseSlot } from "../header.js";
import { chunkCipher } from "./chunk-cipher.js";
import { keyedHashes } from "./keyed-hashes.js";
import { passphraseOf } from "./passphrase.js";
import {
  checkKdfCosts,
  derivePassphraseKey,
  type KdfCost,
  type KdfDemand,
  kdfWork,
  unusualDemand,
} from "./passphrase-key.js";

const cipher = await chunkCipher();
const { hash, deriveKey } = await keyedHashes();

/** Passphrase slots of a header that a reader tries: each costs seconds and memory. */
const MAX_PASSPHRASE_SLOTS = 4;

const CONTEXTS = {
  [FileType.archive]: "BKPTARCH",
  [FileType.index]: "BKPTINDX",
  [FileType.metadata]: "BKPTMETA",
  [FileType.delta]: "BKPTDELT",
} as const;

/** Work spent on headers that are not known to be authentic, KiB of memory times passes. */
interface UnprovenWork {
  sum: number;
}

/**
 * Derives slot keys from the bytes of a passphrase, once for each salt and cost. The backups of a chain share both, so a
 * chain costs one Argon2id.
 */
export class PassphraseBytes {
  readonly #bytes: Uint8Array;
  readonly #spent: UnprovenWork;
  readonly #derived = new Map<string, Promise<Uint8Array>>();

  constructor(bytes: Uint8Array, spent: UnprovenWork = { sum: 0 }) {
    this.#bytes = bytes;
    this.#spent = spent;
  }

  derive(salt: Uint8Array, cost: KdfCost): Promise<Uint8Array> {
    const id = `${Buffer.from(salt).toString("hex")} ${cost.memoryKiB} ${cost.passes} ${cost.lanes}`;
    return this.once(id, (bytes) => {
      this.#spent.sum += kdfWork(cost);
      return derivePassphraseKey(bytes, salt, cost);
    });
  }

  /** The result of `derive`, which is called once for each `id`. */
  once(id: string, derive: (bytes: Uint8Array) => Promise<Uint8Array>): Promise<Uint8Array> {
    let key = this.#derived.get(id);
    if (key === undefined) {
      key = derive(this.#bytes);
      this.#derived.set(id, key);
    }
    return key;
  }
}

/** The slot keys of a passphrase, in the form of the current rule and in the forms of earlier versions. */
export class PassphraseKeys {
  /** In the order in which they are tried on a backup. */
  readonly forms: readonly PassphraseBytes[];
  /** Why the rule rejects the passphrase: it then opens backups of earlier versions only. */
  readonly rejection: UsageError | undefined;
  readonly #present: PassphraseBytes | undefined;
  readonly #onDemand: (demand: KdfDemand) => void;
  readonly #spent: UnprovenWork = { sum: 0 };

  /**
   * @param given see {@link passphraseOf}
   * @param onDemand called before a header costs more than any that `create` writes
   * @throws UsageError when there are no bytes at all
   */
  constructor(given: Uint8Array, onDemand: (demand: KdfDemand) => void = () => {}) {
    this.#onDemand = onDemand;
    const { form, former, rejection } = passphraseOf(given);
    this.#present = form && new PassphraseBytes(form, this.#spent);
    this.rejection = rejection;
    const before = former.map((bytes) => new PassphraseBytes(bytes, this.#spent));
    this.forms = this.#present === undefined ? before : [this.#present, ...before];
    if (this.forms.length === 0) throw rejection;
  }

  /**
   * Checks the costs of the slots of a header before any is tried. All headers that are not known to be authentic share
   * one limit. Throws DAMAGED.
   *
   * @returns how many forms can be tried on all of the slots within that limit
   */
  checkDemand(costs: readonly KdfCost[], file: string): number {
    const most = checkKdfCosts(costs, file, this.#spent.sum);
    const demand = unusualDemand(costs, file);
    if (demand !== undefined) this.#onDemand(demand);
    return most;
  }

  /** The header is authentic, so its cost does not count against the limit. */
  proveDemand(): void {
    this.#spent.sum = 0;
  }

  isPresent(form: PassphraseBytes): boolean {
    return form === this.#present;
  }

  /** For a new key slot. Throws UsageError when the rule rejects the passphrase. */
  get forNew(): PassphraseBytes {
    if (this.#present === undefined) throw this.rejection;
    return this.#present;
  }
}

/** The keys of one backup: its data key, and subkeys that crypto_kdf (BLAKE2b) derives from it. */
export class BackupKeys {
  readonly backupId: Uint8Array;
  readonly slot: PassphraseSlot;
  readonly slotBytes: Uint8Array;
  /** All slots of the opened header. */
  readonly headerSlots: Uint8Array;
  readonly #dataKey: Uint8Array;
  readonly #headerKey: Uint8Array;

  /** Whether a form of an earlier version opened it. */
  readonly byFormerPassphrase: boolean;

  private constructor(
    backupId: Uint8Array,
    dataKey: Uint8Array,
    slot: PassphraseSlot,
    opened: { readonly byFormerPassphrase?: boolean; readonly headerSlots?: Uint8Array } = {},
  ) {
    this.backupId = backupId;
    this.byFormerPassphrase = opened.byFormerPassphrase ?? false;
    this.#dataKey = dataKey;
    this.slot = slot;
    this.slotBytes = encodePassphraseSlot(slot);
    this.headerSlots = opened.headerSlots ?? this.slotBytes;
    this.#headerKey = subkey(dataKey, 0, "BKPTHEAD");
  }

  /** Keys of a new backup. `like` is a slot of its base; with the same cost, the salt is shared. */
  static async create(
    passphrase: PassphraseBytes,
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
    const sealedKey = Buffer.alloc(KEY_BYTES + TAG_BYTES);
    cipher.seal(sealedKey, [dataKey], nonce, wrapping);
    const slot = { salt, cost, nonce, sealedKey };
    return new BackupKeys(randomBytes(BACKUP_ID_BYTES), dataKey, slot);
  }

  /**
   * Keys of the backup whose METADATA.bin has this header. Throws WRONG_PASSPHRASE, or UsageError when the rule rejects
   * the passphrase and it opens no slot.
   */
  static async open(passphrase: PassphraseKeys, header: Header, file: string): Promise<BackupKeys> {
    const slots = header.passphraseSlots.slice(0, MAX_PASSPHRASE_SLOTS);
    const most = passphrase.checkDemand(
      slots.map(({ cost }) => cost),
      file,
    );
    for (const form of passphrase.forms.slice(0, most)) {
      for (const slot of slots) {
        const dataKey = unseal(slot, await form.derive(slot.salt, slot.cost));
        // The slot is for another passphrase.
        if (dataKey === undefined) continue;
        return new BackupKeys(header.backupId, dataKey, slot, {
          byFormerPassphrase: !passphrase.isPresent(form),
          headerSlots: header.slotBytes,
        });
      }
    }
    throw (
      passphrase.rejection ??
      new ArchiveError("WRONG_PASSPHRASE", "no key slot opens with this passphrase", {
        file,
        hint: "check the passphrase",
      })
    );
  }

  /** Keyed BLAKE2b-256 of a header. */
  headerMac(authenticated: Uint8Array): Uint8Array {
    const mac = Buffer.alloc(MAC_BYTES);
    hash(mac, authenticated, this.#headerKey);
    return mac;
  }

  headerIsAuthentic(header: Header): boolean {
    return timingSafeEqual(this.headerMac(header.authenticated), header.mac);
  }

  /** The key of one file. No other file has it, so chunk numbers serve as nonces. */
  fileKey(type: FileType, number: number): Uint8Array {
    return subkey(this.#dataKey, number, CONTEXTS[type]);
  }
}

function subkey(key: Uint8Array, number: number, context: string): Uint8Array {
  const out = Buffer.alloc(KEY_BYTES);
  deriveKey(out, number, context, key);
  return out;
}

function unseal({ sealedKey, nonce }: PassphraseSlot, key: Uint8Array): Uint8Array | undefined {
  const dataKey = Buffer.alloc(KEY_BYTES);
  try {
    cipher.open(dataKey, [sealedKey], nonce, key);
    return dataKey;
  } catch {
    return undefined;
  }
}
