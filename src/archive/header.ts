import { type BackupFile, readStart } from "./backup-files.js";
import { ArchiveError, damaged } from "./errors.js";
import {
  BACKUP_ID_BYTES,
  type FileType,
  HEADER_FIXED_BYTES,
  KEY_BYTES,
  MAC_BYTES,
  MAGIC,
  MAGIC_PREFIX,
  MAX_CHUNK_BYTES,
  MAX_HEADER_BYTES,
  NONCE_BYTES,
  TAG_BYTES,
} from "./format.js";
import type { KdfCost } from "./crypto/passphrase-key.js";

/** A slot of type 1: the data key sealed under a passphrase. */
export interface PassphraseSlot {
  readonly salt: Uint8Array;
  readonly cost: KdfCost;
  readonly nonce: Uint8Array;
  readonly sealedKey: Uint8Array;
}

const PASSPHRASE_SLOT = 1;
const SALT_BYTES = 16;
const PASSPHRASE_SLOT_BYTES = SALT_BYTES + 12 + NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/** Facts of a sealed file's header, before its MAC is checked. */
export interface Header {
  readonly type: number;
  readonly number: number;
  readonly backupId: Uint8Array;
  readonly chunkBytes: number;
  /** The bytes of all slots. */
  readonly slotBytes: Uint8Array;
  readonly passphraseSlots: readonly PassphraseSlot[];
  /** Every byte that the MAC covers. */
  readonly authenticated: Uint8Array;
  readonly mac: Uint8Array;
  /** Where the first chunk starts, bytes. */
  readonly length: number;
}

/** A slot as it is in a header. */
export function encodePassphraseSlot(slot: PassphraseSlot): Uint8Array {
  const out = Buffer.alloc(3 + PASSPHRASE_SLOT_BYTES);
  out.writeUInt8(PASSPHRASE_SLOT, 0);
  out.writeUInt16LE(PASSPHRASE_SLOT_BYTES, 1);
  out.set(slot.salt, 3);
  out.writeUInt32LE(slot.cost.memoryKiB, 19);
  out.writeUInt32LE(slot.cost.passes, 23);
  out.writeUInt32LE(slot.cost.lanes, 27);
  out.set(slot.nonce, 31);
  out.set(slot.sealedKey, 55);
  return out;
}

function decodePassphraseSlot(payload: Buffer): PassphraseSlot {
  return {
    salt: payload.subarray(0, 16),
    cost: {
      memoryKiB: payload.readUInt32LE(16),
      passes: payload.readUInt32LE(20),
      lanes: payload.readUInt32LE(24),
    },
    nonce: payload.subarray(28, 52),
    sealedKey: payload.subarray(52, 100),
  };
}

/** A header without its MAC, which follows it in the file. */
export function encodeHeader(h: {
  type: FileType;
  number: number;
  backupId: Uint8Array;
  chunkBytes: number;
  slots: readonly Uint8Array[];
}): Uint8Array {
  const fixed = Buffer.alloc(HEADER_FIXED_BYTES);
  MAGIC.copy(fixed);
  fixed.writeUInt8(h.type, 8);
  fixed.writeUInt32LE(h.number, 12);
  fixed.set(h.backupId, 16);
  fixed.writeUInt32LE(h.chunkBytes, 32);
  fixed.writeUInt16LE(h.slots.length, 36);
  return Buffer.concat([fixed, ...h.slots]);
}

/**
 * Reads the header at the start of `bytes`, which hold the file's first MAX_HEADER_BYTES, or all of it.
 * Throws NOT_A_BACKUP, UNSUPPORTED_VERSION or DAMAGED.
 */
export function decodeHeader(bytes: Buffer, file: string): Header {
  if (bytes.length < MAGIC.length || !bytes.subarray(0, 7).equals(MAGIC_PREFIX)) {
    throw new ArchiveError("NOT_A_BACKUP", "this is not a file of a backup", { file });
  }
  if (!bytes.subarray(0, 8).equals(MAGIC)) {
    throw new ArchiveError("UNSUPPORTED_VERSION", "a format that this version cannot read", {
      file,
      hint: "use a newer backuptool",
    });
  }
  const truncated = () => damaged("truncated within its header", { file });
  if (bytes.length < HEADER_FIXED_BYTES) throw truncated();
  if (bytes[9] !== 0 || bytes[10] !== 0 || bytes[11] !== 0) {
    throw damaged("reserved bytes of its header are not zero", { file });
  }
  const chunkBytes = bytes.readUInt32LE(32);
  if (chunkBytes === 0 || chunkBytes > MAX_CHUNK_BYTES) {
    throw damaged(`chunks of ${chunkBytes} bytes are outside of the format`, { file });
  }
  const passphraseSlots: PassphraseSlot[] = [];
  let at = HEADER_FIXED_BYTES;
  for (let slots = bytes.readUInt16LE(36); slots > 0; slots--) {
    if (at + 3 > bytes.length) throw truncated();
    const type = bytes.readUInt8(at);
    const length = bytes.readUInt16LE(at + 1);
    const end = at + 3 + length;
    if (end + MAC_BYTES > MAX_HEADER_BYTES) throw damaged("its header is too long", { file });
    if (end > bytes.length) throw truncated();
    if (type === PASSPHRASE_SLOT) {
      if (length !== PASSPHRASE_SLOT_BYTES) throw damaged("a key slot of a wrong length", { file });
      passphraseSlots.push(decodePassphraseSlot(bytes.subarray(at + 3, end)));
    }
    at = end;
  }
  if (at + MAC_BYTES > bytes.length) throw truncated();
  return {
    type: bytes.readUInt8(8),
    number: bytes.readUInt32LE(12),
    backupId: bytes.subarray(16, 16 + BACKUP_ID_BYTES),
    chunkBytes,
    slotBytes: bytes.subarray(HEADER_FIXED_BYTES, at),
    passphraseSlots,
    authenticated: bytes.subarray(0, at),
    mac: bytes.subarray(at, at + MAC_BYTES),
    length: at + MAC_BYTES,
  };
}

/** The header of a file of a backup whose manifest is of this version. Throws DAMAGED. */
export async function readHeader(from: BackupFile, file: string): Promise<Header> {
  const bytes = await readStart(from, MAX_HEADER_BYTES);
  try {
    return decodeHeader(bytes, file);
  } catch (error) {
    // The manifest names the version, so any other error here is damage too.
    if (error instanceof ArchiveError && error.code !== "DAMAGED") {
      throw damaged("its header is not the one that was written", { file }, error);
    }
    throw error;
  }
}
