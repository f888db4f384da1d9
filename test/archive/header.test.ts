import test from "ava";
import fc from "fast-check";
import { ArchiveError } from "../../src/archive/errors.js";
import { FileType, MAX_CHUNK_BYTES, MAX_HEADER_BYTES } from "../../src/archive/format.js";
import { decodeHeader, encodeHeader, encodePassphraseSlot } from "../../src/archive/header.js";

const exactly = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const u32 = fc.nat(0xffffffff);
const slot = fc.record({
  salt: exactly(16),
  cost: fc.record({ memoryKiB: u32, passes: u32, lanes: u32 }),
  nonce: exactly(24),
  sealedKey: exactly(48),
});
const header = fc.record({
  type: fc.constantFrom(...Object.values(FileType)),
  number: u32,
  backupId: exactly(16),
  chunkBytes: fc.integer({ min: 1, max: MAX_CHUNK_BYTES }),
  slots: fc.array(slot, { maxLength: 5 }),
});
/** A slot of an unknown type. */
const foreignSlot = fc.tuple(fc.integer({ min: 2, max: 255 }), fc.uint8Array({ maxLength: 300 }));

function foreign([type, payload]: [number, Uint8Array]): Uint8Array {
  return Buffer.concat([Buffer.from([type, payload.length & 255, payload.length >> 8]), payload]);
}

function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function code(bytes: Buffer): string {
  try {
    decodeHeader(bytes, "file");
    return "read";
  } catch (error) {
    if (error instanceof ArchiveError && error.file === "file") return error.code;
    throw error;
  }
}

test("a header is read as it was written, with slots of unknown types", (t) => {
  fc.assert(
    fc.property(header, fc.array(foreignSlot, { maxLength: 3 }), exactly(32), (h, others, mac) => {
      const slots = [...others.map(foreign), ...h.slots.map(encodePassphraseSlot)];
      const unsigned = encodeHeader({ ...h, slots });
      const found = decodeHeader(Buffer.concat([unsigned, mac, Buffer.alloc(9, 1)]), "file");
      const { type, number, chunkBytes, backupId, passphraseSlots } = found;
      t.deepEqual(
        { type, number, chunkBytes },
        {
          type: h.type,
          number: h.number,
          chunkBytes: h.chunkBytes,
        },
      );
      t.deepEqual(plain(backupId), h.backupId);
      t.deepEqual(
        passphraseSlots.map((s) => ({
          salt: plain(s.salt),
          cost: s.cost,
          nonce: plain(s.nonce),
          sealedKey: plain(s.sealedKey),
        })),
        h.slots,
      );
      t.deepEqual(plain(found.authenticated), plain(unsigned));
      t.deepEqual(plain(found.mac), mac);
      t.is(found.length, unsigned.length + 32);
    }),
  );
});

test("a truncated header is rejected", (t) => {
  fc.assert(
    fc.property(header, (h) => {
      const unsigned = encodeHeader({ ...h, slots: h.slots.map(encodePassphraseSlot) });
      const whole = Buffer.concat([unsigned, Buffer.alloc(32)]);
      for (let length = 0; length < whole.length; length++) {
        t.is(code(whole.subarray(0, length)), length < 8 ? "NOT_A_BACKUP" : "DAMAGED");
      }
      t.is(code(whole), "read");
    }),
    { numRuns: 30 },
  );
});

test("any bytes are a header or a typed error, with the magic before them too", (t) => {
  const codes = new Set<string>();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, magic) => {
      codes.add(code(Buffer.concat([Buffer.from(magic ? "BKPTOOL1" : ""), bytes])));
    }),
    { numRuns: 3000 },
  );
  t.deepEqual([...codes].filter((one) => one !== "read").sort(), ["DAMAGED", "NOT_A_BACKUP"]);
});

test("a later version, absurd chunks, reserved bytes and slots that never end have separate errors", (t) => {
  const good = Buffer.concat([
    encodeHeader({ type: 1, number: 0, backupId: Buffer.alloc(16), chunkBytes: 1, slots: [] }),
    Buffer.alloc(32),
  ]);
  const with32 = (value: number, at: number) => {
    const changed = Buffer.from(good);
    changed.writeUInt32LE(value, at);
    return changed;
  };
  t.is(code(good), "read");
  t.is(code(Buffer.concat([Buffer.from("BKPTOOL2"), good.subarray(8)])), "UNSUPPORTED_VERSION");
  t.is(code(Buffer.concat([Buffer.from("BKPTOOX1"), good.subarray(8)])), "NOT_A_BACKUP");
  for (const chunk of [0, MAX_CHUNK_BYTES + 1, 0xffffffff])
    t.is(code(with32(chunk, 32)), "DAMAGED");
  t.is(code(with32(MAX_CHUNK_BYTES, 32)), "read");
  for (const at of [9, 10, 11]) t.is(code(Buffer.from(good).fill(1, at, at + 1)), "DAMAGED");
  const slots = Array.from({ length: 8 }, () => foreign([9, Buffer.alloc(0xffff)]));
  const long = encodeHeader({
    type: 1,
    number: 0,
    backupId: Buffer.alloc(16),
    chunkBytes: 1,
    slots,
  });
  t.is(code(Buffer.concat([long, Buffer.alloc(32)]).subarray(0, MAX_HEADER_BYTES)), "DAMAGED");
  const short = encodeHeader({
    type: 1,
    number: 0,
    backupId: Buffer.alloc(16),
    chunkBytes: 1,
    slots: [Buffer.from([1, 1, 0, 0])],
  });
  t.is(code(Buffer.concat([short, Buffer.alloc(64)])), "DAMAGED", "a passphrase slot of 1 byte");
});
