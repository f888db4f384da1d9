import test from "ava";
import fc from "fast-check";
import { nativeCipher, portableCipher } from "../../src/archive/chunk-cipher.js";

const exactly = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const portable = await portableCipher();
const native = nativeCipher();
const both = native === undefined ? [portable] : [portable, native];

function seal(
  cipher: typeof portable,
  plain: Uint8Array,
  nonce: Uint8Array,
  key: Uint8Array,
): Buffer {
  const out = Buffer.alloc(plain.length + 16 + 5, 0xee);
  const length = cipher.seal(out, Buffer.from(plain), nonce, key);
  return out.subarray(0, length);
}

test("this machine has both builds of libsodium, so that the two can be compared", (t) => {
  t.is(native?.name, "sodium-native");
});

test("both builds seal to the same bytes, and each opens what the other sealed", (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 3000 }),
      exactly(24),
      exactly(32),
      (plain, nonce, key) => {
        const sealed = both.map((cipher) => seal(cipher, plain, nonce, key));
        for (const one of sealed) {
          t.is(one.length, plain.length + 16);
          t.deepEqual(one, sealed[0]);
          for (const cipher of both) {
            const out = Buffer.alloc(plain.length);
            t.is(cipher.open(out, one, nonce, key), plain.length);
            t.deepEqual(new Uint8Array(out), plain);
          }
        }
      },
    ),
  );
});

test("XChaCha20-Poly1305 is the one of draft-irtf-cfrg-xchacha, A.3.1, without its additional data", (t) => {
  const plain = Buffer.from(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
  );
  const key = Buffer.from(Array.from({ length: 32 }, (_, i) => 0x80 + i));
  const nonce = Buffer.from(Array.from({ length: 24 }, (_, i) => 0x40 + i));
  // The ciphertext does not depend on the additional data; only the tag does.
  const expected =
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa644";
  for (const cipher of both) {
    t.is(seal(cipher, plain, nonce, key).subarray(0, 40).toString("hex"), expected, cipher.name);
  }
});

test("one changed bit anywhere, in the bytes, the nonce or the key, opens nothing", (t) => {
  const plain = Buffer.from("plain");
  const nonce = Buffer.alloc(24, 1);
  const key = Buffer.alloc(32, 2);
  const sealed = seal(portable, plain, nonce, key);
  for (const cipher of both) {
    for (const part of [sealed, nonce, key]) {
      for (let at = 0; at < part.length; at++) {
        part[at] = (part[at] as number) ^ 0x10;
        const out = Buffer.alloc(plain.length);
        t.throws(() => cipher.open(out, sealed, nonce, key), undefined, `${cipher.name} ${at}`);
        t.deepEqual(out, Buffer.alloc(plain.length), "nothing is written");
        part[at] = (part[at] as number) ^ 0x10;
      }
    }
  }
});
