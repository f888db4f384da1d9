import { createRequire } from "node:module";
import { argon2id, hash } from "argon2";
import type Sodium from "libsodium-wrappers";
import { decompress } from "zstd-napi";
import { Answer, checkIn } from "./answer.js";

/** docs/format.md, "A sealed file", with public libraries alone. */
const sodium = createRequire(import.meta.url)("libsodium-wrappers") as typeof Sodium;
await sodium.ready;

const MIB = 1 << 20;
const CONTEXTS = ["", "BKPTARCH", "BKPTINDX", "BKPTMETA", "BKPTDELT"] as const;

export interface Head {
  readonly type: number;
  readonly number: number;
  readonly id: Buffer;
  readonly chunk: number;
  /** Payloads of the slots of type 1. */
  readonly slots: readonly Buffer[];
  readonly allSlots: Buffer;
  readonly signed: Buffer;
  readonly mac: Buffer;
  readonly length: number;
}

export function headOf(bytes: Buffer, file: string): Head {
  if (bytes.toString("latin1", 0, 7) !== "BKPTOOL") throw new Answer("NOT_A_BACKUP", file, "magic");
  if (bytes[7] !== 0x31) throw new Answer("UNSUPPORTED_VERSION", file, "version");
  checkIn(file, bytes.length >= 38, "cut");
  checkIn(file, bytes.readUIntBE(9, 3) === 0, "reserved");
  const chunk = bytes.readUInt32LE(32);
  checkIn(file, chunk >= 1 && chunk <= 64 * MIB, "chunk");
  const slots: Buffer[] = [];
  let at = 38;
  for (let left = bytes.readUInt16LE(36); left > 0; left--) {
    checkIn(file, at + 3 <= bytes.length, "cut");
    const [type, length] = [bytes.readUInt8(at), bytes.readUInt16LE(at + 1)];
    const payload = bytes.subarray(at + 3, at + 3 + length);
    at += 3 + length;
    checkIn(file, at + 32 <= Math.min(64 << 10, bytes.length), "slot");
    if (type !== 1) continue;
    checkIn(file, length === 100, "length of a slot");
    slots.push(payload);
  }
  checkIn(file, at + 32 <= bytes.length, "cut");
  return {
    type: bytes.readUInt8(8),
    number: bytes.readUInt32LE(12),
    id: bytes.subarray(16, 32),
    chunk,
    slots,
    allSlots: bytes.subarray(38, at),
    signed: bytes.subarray(0, at),
    mac: bytes.subarray(at, at + 32),
    length: at + 32,
  };
}

/** The data key; undefined when none of the first four slots opens. */
export async function dataKeyOf(
  head: Head,
  passphrase: string,
  file: string,
): Promise<Uint8Array | undefined> {
  const tried = head.slots.slice(0, 4).map((slot) => ({
    slot,
    memoryCost: slot.readUInt32LE(16),
    timeCost: slot.readUInt32LE(20),
    parallelism: slot.readUInt32LE(24),
  }));
  for (const { memoryCost, timeCost, parallelism } of tried) {
    const within = memoryCost <= 2 << 20 && timeCost >= 1 && timeCost <= 8 && parallelism >= 1;
    checkIn(file, within && parallelism <= 16 && memoryCost >= 8 * parallelism, "costs");
  }
  const sum = tried.reduce((all, { memoryCost, timeCost }) => all + memoryCost * timeCost, 0);
  checkIn(file, sum <= 16 << 20, "costs in sum");
  for (const { slot, ...costs } of tried) {
    const salt = slot.subarray(0, 16);
    const key = await hash(passphrase, {
      type: argon2id,
      raw: true,
      hashLength: 32,
      salt,
      ...costs,
    });
    try {
      return unsealed(slot.subarray(52, 100), slot.subarray(28, 52), key);
    } catch {
      // The slot is for another passphrase.
    }
  }
  return undefined;
}

export function macIsRight(head: Head, dataKey: Uint8Array): boolean {
  const key = sodium.crypto_kdf_derive_from_key(32, 0, "BKPTHEAD", dataKey);
  return head.mac.equals(sodium.crypto_generichash(32, head.signed, key));
}

/** The content of a sealed file with a valid header. */
export function contentOf(bytes: Buffer, head: Head, dataKey: Uint8Array, file: string): Buffer {
  const context = CONTEXTS[head.type] ?? "";
  const key = sodium.crypto_kdf_derive_from_key(32, head.number, context, dataKey);
  const parts: Buffer[] = [];
  let at = head.length;
  checkIn(file, at < bytes.length, "no chunk");
  while (at < bytes.length) {
    checkIn(file, at + 4 <= bytes.length, "cut");
    const length = bytes.readUInt32LE(at);
    const end = at + 4 + length;
    const longest = head.chunk + Math.floor(head.chunk / 256) + 80;
    checkIn(file, length >= 16 && length <= longest && end <= bytes.length, "length of a chunk");
    const nonce = Buffer.alloc(24);
    nonce.writeBigUInt64LE(BigInt(parts.length));
    const last = end === bytes.length;
    nonce[8] = last ? 1 : 0;
    let content: Buffer;
    try {
      content = oneFrame(
        Buffer.from(unsealed(bytes.subarray(at + 4, end), nonce, key)),
        head.chunk,
      );
    } catch (error) {
      throw new Answer("DAMAGED", file, `chunk ${parts.length}: ${error}`);
    }
    checkIn(file, last || content.length === head.chunk, "a short chunk");
    checkIn(file, content.length > 0 || parts.length === 0, "an empty chunk");
    parts.push(content);
    at = end;
  }
  return Buffer.concat(parts);
}

function unsealed(sealed: Buffer, nonce: Buffer, key: Uint8Array): Uint8Array {
  return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, sealed, null, nonce, key);
}

/** Checks by its blocks (RFC 8878, 3.1.1) that there is only one frame, and unpacks it. */
function oneFrame(bytes: Buffer, most: number): Buffer {
  if (bytes.readUInt32LE(0) !== 0xfd2fb528) throw new Error("no frame");
  const descriptor = bytes.readUInt8(4);
  const single = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (single ? 1 : 0) : 1 << sizeFlag;
  if ((descriptor & 3) !== 0) throw new Error("a dictionary");
  let at = 5 + (single ? 0 : 1);
  let claimed = 0n;
  for (let i = 0; i < sizeBytes; i++) claimed |= BigInt(bytes.readUInt8(at + i)) << BigInt(8 * i);
  if (claimed > BigInt(most)) throw new Error("a frame that claims too much");
  at += sizeBytes;
  for (let last = false; !last; ) {
    const block = bytes.readUIntLE(at, 3);
    last = (block & 1) === 1;
    at += 3 + (((block >> 1) & 3) === 1 ? 1 : block >> 3);
  }
  if ((descriptor & 4) !== 0) at += 4;
  if (at !== bytes.length) throw new Error("more than one frame");
  const content = decompress(bytes);
  if (content.length > most) throw new Error("more than a chunk");
  return content;
}
