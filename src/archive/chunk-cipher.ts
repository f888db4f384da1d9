import { native, wrappers } from "./sodium.js";

/**
 * XChaCha20-Poly1305 over whole chunks. sodium-native where it is built, else libsodium-wrappers:
 * the same bytes come out of both.
 */
export interface ChunkCipher {
  readonly name: "sodium-native" | "libsodium-wrappers";
  /** Writes ciphertext and tag to the start of `out`; returns their length. */
  seal(out: Buffer, plain: Buffer, nonce: Uint8Array, key: Uint8Array): number;
  /** Writes the plaintext to the start of `out` and returns its length; throws when the tag is wrong. */
  open(out: Buffer, sealed: Buffer, nonce: Uint8Array, key: Uint8Array): number;
}

const TAG = 16;

export function nativeCipher(): ChunkCipher | undefined {
  if (native === undefined) return undefined;
  const sodium = native;
  return {
    name: "sodium-native",
    seal: (out, plain, nonce, key) =>
      sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
        out.subarray(0, plain.length + TAG),
        plain,
        null,
        null,
        Buffer.from(nonce),
        Buffer.from(key),
      ),
    open: (out, sealed, nonce, key) =>
      sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
        out.subarray(0, sealed.length - TAG),
        null,
        sealed,
        null,
        Buffer.from(nonce),
        Buffer.from(key),
      ),
  };
}

export async function portableCipher(): Promise<ChunkCipher> {
  const sodium = await wrappers();
  return {
    name: "libsodium-wrappers",
    seal(out, plain, nonce, key) {
      const sealed = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
        plain,
        null,
        null,
        nonce,
        key,
      );
      out.set(sealed);
      return sealed.length;
    },
    open(out, sealed, nonce, key) {
      const plain = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
        null,
        sealed,
        null,
        nonce,
        key,
      );
      out.set(plain);
      return plain.length;
    },
  };
}

export async function chunkCipher(): Promise<ChunkCipher> {
  return nativeCipher() ?? (await portableCipher());
}
