import test from "ava";
import fc from "fast-check";
import {
  nativeCipher,
  opensslCipher,
  portableCipher,
} from "../../../src/archive/crypto/chunk-cipher.js";

const exactly = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const portable = await portableCipher();
const ciphers = [portable, nativeCipher(), opensslCipher()].filter((one) => one !== undefined);

/** Pieces of uneven lengths: results must not depend on them. */
function inPieces(bytes: Uint8Array): Uint8Array[] {
  const cuts = [0, 1, 1, 18, 63, 64, 200, bytes.length - 20, bytes.length - 16, bytes.length - 1];
  const at = [...cuts.filter((cut) => cut >= 0 && cut < bytes.length), bytes.length];
  at.sort((a, b) => a - b);
  return at.map((to, i) => bytes.subarray(at[i - 1] ?? 0, to));
}

function seal(
  cipher: typeof portable,
  plain: Uint8Array,
  nonce: Uint8Array,
  key: Uint8Array,
): Buffer {
  const out = Buffer.alloc(plain.length + 16 + 5, 0xee);
  const length = cipher.seal(out, inPieces(plain), nonce, key);
  return out.subarray(0, length);
}

test("this machine has OpenSSL and both builds of libsodium, so that they can be compared", (t) => {
  const names = ciphers.map(({ name }) => name);
  t.deepEqual(names, ["libsodium-wrappers", "sodium-native", "openssl"]);
});

test("all ciphers seal to the same bytes, and each opens those of the others", (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 3000 }),
      exactly(24),
      exactly(32),
      (plain, nonce, key) => {
        const sealed = ciphers.map((cipher) => seal(cipher, plain, nonce, key));
        for (const one of sealed) {
          t.is(one.length, plain.length + 16);
          t.deepEqual(one, sealed[0]);
          for (const cipher of ciphers) {
            const out = Buffer.alloc(plain.length);
            t.is(cipher.open(out, inPieces(one), nonce, key), plain.length);
            t.deepEqual(new Uint8Array(out), plain);
          }
        }
      },
    ),
  );
});

test("XChaCha20-Poly1305 has the ciphertext of draft-irtf-cfrg-xchacha, A.3.1", (t) => {
  const plain = Buffer.from(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
  );
  const key = Buffer.from(Array.from({ length: 32 }, (_, i) => 0x80 + i));
  const nonce = Buffer.from(Array.from({ length: 24 }, (_, i) => 0x40 + i));
  // The ciphertext does not depend on the additional data; only the tag does.
  const expected =
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa644";
  for (const cipher of ciphers) {
    t.is(seal(cipher, plain, nonce, key).subarray(0, 40).toString("hex"), expected, cipher.name);
  }
});

test("one changed bit anywhere, in the bytes, the nonce or the key, opens nothing", (t) => {
  const plain = Buffer.from("plain");
  const nonce = Buffer.alloc(24, 1);
  const key = Buffer.alloc(32, 2);
  const sealed = seal(portable, plain, nonce, key);
  for (const cipher of ciphers) {
    for (const part of [sealed, nonce, key]) {
      for (let at = 0; at < part.length; at++) {
        part[at] = (part[at] as number) ^ 0x10;
        const out = Buffer.alloc(plain.length);
        t.throws(
          () => cipher.open(out, inPieces(sealed), nonce, key),
          undefined,
          `${cipher.name} ${at}`,
        );
        t.deepEqual(out, Buffer.alloc(plain.length), "nothing is written");
        part[at] = (part[at] as number) ^ 0x10;
      }
    }
  }
});

test("a chunk of megabytes in shared memory is sealed and opened", (t) => {
  const plain = Buffer.from(new SharedArrayBuffer(3 << 20)).fill("some of it, ");
  const [nonce, key] = [Buffer.alloc(24, 3), Buffer.alloc(32, 4)];
  const [first, ...others] = ciphers.map((cipher) => seal(cipher, plain, nonce, key));
  for (const other of others) t.true(first?.equals(other));
});

test("the OpenSSL cipher rejects short output buffers and invalid lengths", (t) => {
  const cipher = opensslCipher();
  const [nonce, key, plain] = [Buffer.alloc(24), Buffer.alloc(32), Buffer.alloc(100)];
  t.throws(() => cipher?.seal(Buffer.alloc(115), [plain], nonce, key), { message: /no room/ });
  t.throws(() => cipher?.open(Buffer.alloc(83), [plain], nonce, key), { message: /no room/ });
  t.throws(() => cipher?.open(Buffer.alloc(83), [plain.subarray(0, 15)], nonce, key));
  for (const [n, k] of [
    [nonce.subarray(1), key],
    [nonce, key.subarray(1)],
  ] as const) {
    t.throws(() => cipher?.seal(Buffer.alloc(200), [plain], n, k), { message: /wrong length/ });
  }
  const words = new Uint16Array(50) as unknown as Uint8Array;
  t.throws(() => cipher?.seal(Buffer.alloc(200), [words], nonce, key), { message: /Uint8Array/ });
});
