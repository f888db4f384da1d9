import { randomBytes } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import { decompress } from "zstd-napi";
import { storedFrame } from "../../../src/archive/seal/stored-frame.js";

test("zstd reads stored frames, wherever parts and blocks end", (t) => {
  const lengths = fc.array(
    fc.oneof(
      fc.nat(3),
      fc.nat(5000),
      fc.integer({ min: (128 << 10) - 2, max: (128 << 10) + 2 }),
      fc.nat(400_000),
    ),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(lengths, (wanted) => {
      const parts = wanted.map((length) => randomBytes(length));
      const frame = Buffer.concat(storedFrame(parts));
      t.true(decompress(frame).equals(Buffer.concat(parts)));
    }),
    { numRuns: 50 },
  );
});

test("parts are not copied", (t) => {
  const part = randomBytes(300_000);
  const held = storedFrame([part]).filter(({ buffer }) => buffer === part.buffer);
  t.deepEqual(
    held.map(({ length }) => length),
    [131072, 131072, 37856],
  );
});
