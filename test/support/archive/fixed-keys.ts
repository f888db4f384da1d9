import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import type Sodium from "libsodium-wrappers";
import { BackupKeys, PassphraseKeys } from "../../../src/archive/crypto/backup-keys.js";
import { FileType, MAC_BYTES } from "../../../src/archive/format.js";
import { decodeHeader, encodeHeader, encodePassphraseSlot } from "../../../src/archive/header.js";
import { derivePassphraseKey } from "../../../src/archive/crypto/passphrase-key.js";
import { CHEAP_KDF, SAMPLE_PASSPHRASE } from "./sample.js";

const sodium = createRequire(import.meta.url)("libsodium-wrappers") as typeof Sodium;

/** Bytes that depend only on the label. */
function bytesOf(label: string, length: number): Buffer {
  return createHash("sha256").update(label).digest().subarray(0, length);
}

/** Keys of a backup that depend only on the label, under {@link SAMPLE_PASSPHRASE}. */
export async function fixedKeys(label: string): Promise<BackupKeys> {
  await sodium.ready;
  const slot = encodePassphraseSlot(await fixedSlot(label, SAMPLE_PASSPHRASE));
  const backupId = bytesOf(`${label} id`, 16);
  const header = encodeHeader({
    type: FileType.metadata,
    number: 0,
    backupId,
    chunkBytes: 1,
    slots: [slot],
  });
  const unsigned = decodeHeader(Buffer.concat([header, Buffer.alloc(MAC_BYTES)]), label);
  return BackupKeys.open(new PassphraseKeys(Buffer.from(SAMPLE_PASSPHRASE)), unsigned, label);
}

/** A slot for the data key of {@link fixedKeys} with the same label, under any passphrase. */
export async function fixedSlot(label: string, passphrase: string) {
  await sodium.ready;
  const salt = bytesOf(`${label} salt`, 16);
  const nonce = bytesOf(`${label} nonce ${passphrase}`, 24);
  const wrapping = await derivePassphraseKey(Buffer.from(passphrase), salt, CHEAP_KDF);
  const sealedKey = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
    bytesOf(`${label} data key`, 32),
    null,
    null,
    nonce,
    wrapping,
  );
  return { salt, cost: CHEAP_KDF, nonce, sealedKey };
}
