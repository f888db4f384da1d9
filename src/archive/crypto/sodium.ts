import { createRequire } from "node:module";
import type Wrappers from "libsodium-wrappers";

/**
 * The two builds of libsodium. Both are CommonJS: the ES module of libsodium-wrappers 0.7.16 imports a
 * file that its package does not have.
 */
const require = createRequire(import.meta.url);

/** WebAssembly, which works everywhere. Compiling it takes 40 ms, so it is loaded on demand. */
export async function wrappers(): Promise<typeof Wrappers> {
  const loaded = require("libsodium-wrappers") as typeof Wrappers;
  await loaded.ready;
  return loaded;
}

/** The functions of sodium-native that are used here. It ships no types. */
interface SodiumNative {
  crypto_generichash(out: Uint8Array, input: Uint8Array, key: Uint8Array): void;
  crypto_kdf_derive_from_key(
    out: Uint8Array,
    number: number,
    context: Uint8Array,
    key: Uint8Array,
  ): void;
  crypto_aead_xchacha20poly1305_ietf_encrypt(
    out: Uint8Array,
    plain: Uint8Array,
    additional: null,
    secretNonce: null,
    nonce: Buffer,
    key: Buffer,
  ): number;
  crypto_aead_xchacha20poly1305_ietf_decrypt(
    out: Uint8Array,
    secretNonce: null,
    sealed: Uint8Array,
    additional: null,
    nonce: Buffer,
    key: Buffer,
  ): number;
}

/** Several times as fast; undefined where there is no build for the machine. */
export const native: SodiumNative | undefined = load();

function load(): SodiumNative | undefined {
  try {
    return require("sodium-native") as SodiumNative;
  } catch {
    return undefined;
  }
}
