import test from "ava";
import fc from "fast-check";
import { nativeHashes, portableHashes } from "../../../src/archive/crypto/keyed-hashes.js";

test("both builds of libsodium give the same hashes and keys", async (t) => {
  const native = nativeHashes();
  const portable = await portableHashes();
  if (native === undefined) {
    t.log("there is no build of sodium-native for this machine");
    t.pass();
    return;
  }
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const of = (write: (out: Uint8Array) => void): Uint8Array => {
    const out = new Uint8Array(32);
    write(out);
    return out;
  };
  fc.assert(
    fc.property(fc.uint8Array(), key, fc.nat(), (input, key, number) => {
      t.deepEqual(
        of((out) => native.hash(out, input, key)),
        of((out) => portable.hash(out, input, key)),
      );
      t.deepEqual(
        of((out) => native.deriveKey(out, number, "BKPTARCH", key)),
        of((out) => portable.deriveKey(out, number, "BKPTARCH", key)),
      );
    }),
  );
});
