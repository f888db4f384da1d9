import { loadAddon } from "../../native-addon.js";
import { native, wrappers } from "./sodium.js";

/**
 * XChaCha20-Poly1305 over whole chunks, given in pieces. The first implementation that works is used: OpenSSL
 * (`native/chunk_cipher.cc`), sodium-native, libsodium-wrappers. All give the same bytes.
 */
export interface ChunkCipher {
  readonly name: "openssl" | "sodium-native" | "libsodium-wrappers";
  /** Writes ciphertext and tag to the start of `out`; returns their length. */
  seal(out: Buffer, plain: readonly Uint8Array[], nonce: Uint8Array, key: Uint8Array): number;
  /**
   * Writes the plaintext to the start of `out`; returns its length. Throws when the tag is wrong; `out` then holds no
   * plaintext.
   */
  open(out: Buffer, sealed: readonly Uint8Array[], nonce: Uint8Array, key: Uint8Array): number;
}

const TAG = 16;

/** The exports of `native/chunk_cipher.cc`: none when it was built without OpenSSL's headers. */
interface Addon {
  seal?(out: Uint8Array, plain: readonly Uint8Array[], nonce: Uint8Array, key: Uint8Array): number;
  /** Returns -1 when the tag is wrong. */
  open?(out: Uint8Array, sealed: readonly Uint8Array[], nonce: Uint8Array, key: Uint8Array): number;
}

export function opensslCipher(): ChunkCipher | undefined {
  let addon: Addon;
  try {
    addon = loadAddon("chunk_cipher") as Addon;
  } catch {
    return undefined;
  }
  const { seal, open } = addon;
  if (seal === undefined || open === undefined || !passesSelfTest(seal)) return undefined;
  return {
    name: "openssl",
    seal,
    open(out, sealed, nonce, key) {
      const length = open(out, sealed, nonce, key);
      if (length < 0) throw new Error("the tag is wrong");
      return length;
    },
  };
}

/** The OpenSSL in Node may lack the cipher, by its build or by a policy (FIPS). */
function passesSelfTest(seal: NonNullable<Addon["seal"]>): boolean {
  const counting = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => i));
  const out = Buffer.alloc(100 + TAG);
  try {
    seal(out, [counting(64), counting(36)], counting(24), counting(32));
  } catch {
    return false;
  }
  // The tag of libsodium.
  return out.subarray(100).toString("hex") === "418712ec59dc68289ca9bebfa68573b9";
}

export function nativeCipher(): ChunkCipher | undefined {
  if (native === undefined) return undefined;
  const sodium = native;
  const gather = gatherer();
  return {
    name: "sodium-native",
    seal(out, pieces, nonce, key) {
      const plain = gather(pieces);
      return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
        out.subarray(0, plain.length + TAG),
        plain,
        null,
        null,
        Buffer.from(nonce),
        Buffer.from(key),
      );
    },
    open(out, pieces, nonce, key) {
      const sealed = gather(pieces);
      return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
        out.subarray(0, sealed.length - TAG),
        null,
        sealed,
        null,
        Buffer.from(nonce),
        Buffer.from(key),
      );
    },
  };
}

export async function portableCipher(): Promise<ChunkCipher> {
  const {
    crypto_aead_xchacha20poly1305_ietf_encrypt: encrypt,
    crypto_aead_xchacha20poly1305_ietf_decrypt: decrypt,
  } = await wrappers();
  const gather = gatherer();
  return {
    name: "libsodium-wrappers",
    seal(out, pieces, nonce, key) {
      const sealed = encrypt(gather(pieces), null, null, nonce, key);
      out.set(sealed);
      return sealed.length;
    },
    open(out, pieces, nonce, key) {
      const plain = decrypt(null, gather(pieces), null, nonce, key);
      out.set(plain);
      return plain.length;
    },
  };
}

/** Returns a function that joins pieces: libsodium takes a message in one piece. */
function gatherer(): (pieces: readonly Uint8Array[]) => Uint8Array {
  let scratch = Buffer.allocUnsafeSlow(0);
  return (pieces) => {
    const [only] = pieces;
    if (only !== undefined && pieces.length === 1) return only;
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (scratch.length < length) scratch = Buffer.allocUnsafeSlow(length);
    let at = 0;
    for (const piece of pieces) {
      scratch.set(piece, at);
      at += piece.length;
    }
    return scratch.subarray(0, length);
  };
}

export async function chunkCipher(): Promise<ChunkCipher> {
  return opensslCipher() ?? nativeCipher() ?? (await portableCipher());
}
