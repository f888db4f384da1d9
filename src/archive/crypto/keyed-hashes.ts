import { native, wrappers } from "./sodium.js";

/** Keyed BLAKE2b, and the key derivation of libsodium over it. Both builds give the same bytes. */
interface KeyedHashes {
  /** Writes the hash of `input`, as long as `out`. */
  hash(out: Uint8Array, input: Uint8Array, key: Uint8Array): void;
  /** Writes subkey `number` of `key` (crypto_kdf of libsodium), as long as `out`. `context` has 8 characters. */
  deriveKey(out: Uint8Array, number: number, context: string, key: Uint8Array): void;
}

export function nativeHashes(): KeyedHashes | undefined {
  if (native === undefined) return undefined;
  const sodium = native;
  return {
    hash: sodium.crypto_generichash,
    deriveKey: (out, number, context, key) =>
      sodium.crypto_kdf_derive_from_key(out, number, Buffer.from(context), key),
  };
}

export async function portableHashes(): Promise<KeyedHashes> {
  const sodium = await wrappers();
  return {
    hash: (out, input, key) => out.set(sodium.crypto_generichash(out.length, input, key)),
    deriveKey: (out, number, context, key) =>
      out.set(sodium.crypto_kdf_derive_from_key(out.length, number, context, key)),
  };
}

export async function keyedHashes(): Promise<KeyedHashes> {
  return nativeHashes() ?? (await portableHashes());
}
