import { createHash } from "node:crypto";
import test from "ava";
import { SNAPSHOT_PIECE_BYTES } from "../../../src/archive/format.js";
import type { RawSnapshot } from "../../../src/archive/metadata.js";
import { SnapshotPieces } from "../../../src/archive/snapshot/snapshot-pieces.js";

const FULL = Buffer.alloc(SNAPSHOT_PIECE_BYTES, "piece");
const LAST = Buffer.from("the last piece");
/** Bytes of a full piece in the tar. */
const STEP = 512 + SNAPSHOT_PIECE_BYTES;

const SNAPSHOT: RawSnapshot = {
  revision: 9,
  compactRevision: 0,
  bytes: 2 * FULL.length + LAST.length,
  sha256: createHash("sha256").update(FULL).update(FULL).update(LAST).digest("hex"),
  file: 3,
  firstPiece: 5,
};

function started(): SnapshotPieces {
  const pieces = new SnapshotPieces(SNAPSHOT);
  pieces.add(FULL, { number: 5, file: 3, offset: 0 });
  return pieces;
}

test("pieces in one file, or each at the start of the next, are a raw snapshot", (t) => {
  const together = started();
  together.add(FULL, { number: 6, file: 3, offset: STEP });
  t.false(together.complete);
  t.throws(() => together.end(), { code: "DAMAGED", message: /but the archive holds 33554432/ });
  together.add(LAST, { number: 7, file: 3, offset: 2 * STEP });
  t.true(together.complete);
  t.is(together.bytes, SNAPSHOT.bytes);
  t.notThrows(() => together.end());

  const apart = started();
  apart.add(FULL, { number: 6, file: 4, offset: 0 });
  apart.add(LAST, { number: 7, file: 5, offset: 0 });
  t.notThrows(() => apart.end());
});

test("a piece in another place is rejected", (t) => {
  const first = new SnapshotPieces(SNAPSHOT);
  for (const place of [
    { file: 3, offset: 512 },
    { file: 4, offset: 0 },
    { file: 2, offset: 0 },
  ]) {
    t.throws(() => first.add(FULL, { number: 5, ...place }), { message: /is not where/ });
  }
  for (const place of [
    { file: 3, offset: 0 },
    { file: 3, offset: STEP + 512 },
    { file: 4, offset: 512 },
    { file: 5, offset: 0 },
  ]) {
    t.throws(() => started().add(FULL, { number: 6, ...place }), { message: /is not where/ });
  }
});

test("a piece of another length than the format says is rejected", (t) => {
  for (const bytes of [FULL.subarray(1), Buffer.alloc(0), Buffer.concat([FULL, LAST])]) {
    t.throws(() => started().add(bytes, { number: 6, file: 3, offset: STEP }), {
      code: "DAMAGED",
      message: /^ARCHIVE00003.bin: piece 6 of the raw snapshot has \d+ bytes instead of 16777216/,
    });
  }
});

test("a piece out of order is rejected, and so is one after the end", (t) => {
  t.throws(() => started().add(FULL, { number: 7, file: 3, offset: STEP }), {
    message: /is out of order/,
  });
  const whole = started();
  whole.add(FULL, { number: 6, file: 3, offset: STEP });
  whole.add(LAST, { number: 7, file: 3, offset: 2 * STEP });
  t.throws(() => whole.add(LAST, { number: 8, file: 4, offset: 0 }), {
    message: /comes after its end/,
  });
});

test("other bytes than those of the SHA-256 are rejected", (t) => {
  const changed = started();
  changed.add(Buffer.alloc(FULL.length, "other"), { number: 6, file: 3, offset: STEP });
  changed.add(LAST, { number: 7, file: 3, offset: 2 * STEP });
  t.throws(() => changed.end(), { message: /its SHA-256 of the raw snapshot/ });
});
