import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import { extract, type Header } from "tar-stream";
import {
  decodePax,
  decodeTarBlock,
  encodeTarHeader,
  TAR_BLOCK,
  TAR_END,
  TarError,
  tarPadding,
} from "../../../src/archive/tar/tar-header.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";

const path = fc
  .array(fc.constantFrom("a", "b", "%2F", "-", ".cbor", "x".repeat(60)), {
    minLength: 1,
    maxLength: 6,
  })
  .map((parts) => `ceph/pool/-/${parts.join("")}`);
const time = fc.bigInt({ min: -(2n ** 62n), max: 2n ** 63n - 1n });

/** One entry as this program reads it from header blocks. */
function ours(header: Buffer): { path: string; size: number; mtime: bigint | undefined } {
  let pax: ReturnType<typeof decodePax> = {};
  for (let at = 0; at < header.length; ) {
    const block = decodeTarBlock(header.subarray(at, at + TAR_BLOCK));
    if (block === undefined) throw new Error("a block of zeros");
    at += TAR_BLOCK;
    if (block.type === "x") {
      pax = decodePax(header.subarray(at, at + block.size));
      at += block.size + tarPadding(block.size);
      continue;
    }
    return { path: pax.path ?? block.name, size: pax.size ?? block.size, mtime: pax.mtime };
  }
  throw new Error("no entry");
}

async function theirs(tar: Buffer): Promise<Header[]> {
  const found: Header[] = [];
  const reader = extract();
  reader.end(tar);
  for await (const entry of reader) {
    found.push(entry.header);
    entry.resume();
  }
  return found;
}

test("a header is read as it was written, for any path, size and time", (t) => {
  const time64 = fc.option(time, { nil: undefined });
  fc.assert(
    fc.property(path, fc.maxSafeNat(), time64, (name, size, mtime) => {
      const header = encodeTarHeader(name, size, mtime);
      t.is(header.length % TAR_BLOCK, 0);
      t.deepEqual(ours(header), { path: name, size, mtime });
    }),
    { numRuns: 1000 },
  );
});

test("names and sizes around the limits of a ustar header are read as they were written", (t) => {
  for (const length of [1, 99, 100, 101, 155, 255, 256, 6000]) {
    const name = "n".repeat(length);
    t.is(ours(encodeTarHeader(name, 1)).path, name);
  }
  for (const size of [0, 511, 512, 0o77777777777, 0o77777777777 + 1, Number.MAX_SAFE_INTEGER]) {
    t.is(ours(encodeTarHeader("n", size)).size, size);
  }
  for (const mtime of [0n, -1n, 1n, 999_999_999n, -1_000_000_000n, 2n ** 63n - 1n]) {
    t.is(ours(encodeTarHeader("n", 0, mtime)).mtime, mtime);
  }
});

test("tar-stream reads the same entries from the headers", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ path, size: fc.nat(2000), mtime: time }), { maxLength: 5 }),
      async (entries) => {
        const parts = entries.flatMap(({ path: name, size, mtime }) => [
          encodeTarHeader(name, size, mtime),
          Buffer.alloc(size + tarPadding(size), 0x61),
        ]);
        const found = await theirs(Buffer.concat([...parts, TAR_END]));
        t.deepEqual(
          found.map(({ name, size, type, mode }) => ({ name, size, type, mode })),
          entries.map(({ path: name, size }) => ({ name, size, type: "file", mode: 0o600 })),
        );
      },
    ),
    { numRuns: 50 },
  );
});

test("headers that other tar programs read differently are rejected", async (t) => {
  const own = encodeTarHeader("ceph/pool/-/name", 5);
  const fields = {
    mode: 100,
    uid: 108,
    gid: 116,
    linkname: 157,
    magic: 257,
    uname: 265,
    prefix: 345,
  };
  for (const [field, at] of Object.entries(fields)) {
    const changed = Buffer.from(own);
    changed.write("7", at, "latin1");
    const sum = changed.fill(" ", 148, 156).reduce((all, byte) => all + byte, 0);
    changed.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    t.throws(() => decodeTarBlock(changed), { instanceOf: TarError }, field);
  }
  for (const pax of [
    "17 linkpath=/etc\n",
    "22 GNU.sparse.major=1\n",
    "11 mtime=1\n11 mtime=1\n",
    "10 path=a\n",
    "9 size=1\n",
  ]) {
    t.throws(() => decodePax(Buffer.from(pax)), { instanceOf: TarError }, pax);
  }
});

test("GNU tar unpacks the names, bytes and times of the headers, to the nanosecond", async (t) => {
  const folder = newFolder();
  const entries = [
    { name: "ceph/pool/-/plain", mtime: 1_700_000_000_123_456_789n, data: "plain" },
    { name: `ceph/pool/-/${"n".repeat(200)}`, mtime: 1n, data: "long" },
    { name: "ceph/pool/-/before-1970", mtime: -1_500_000_000n, data: "" },
    { name: "ceph/pool/-/%2F..%0A", mtime: 0n, data: "x".repeat(1025) },
  ];
  const parts = entries.flatMap(({ name, mtime, data }) => [
    encodeTarHeader(name, data.length, mtime),
    Buffer.from(data),
    Buffer.alloc(tarPadding(data.length)),
  ]);
  writeFileSync(join(folder, "a.tar"), Buffer.concat([...parts, TAR_END]));
  mkdirSync(join(folder, "out"));
  const result = await runProcess("tar", ["-xf", join(folder, "a.tar"), "-C", join(folder, "out")]);
  t.is(result.code, 0, result.stderr);
  t.is(result.stderr.replaceAll(/.*implausibly old.*\n/g, ""), "");
  for (const { name, mtime, data } of entries) {
    const file = join(folder, "out", name);
    t.is(readFileSync(file, "utf8"), data);
    t.is(statSync(file, { bigint: true }).mtimeNs, mtime, name);
  }
});

test("any change to a header block is found, except in unused bytes", (t) => {
  const header = encodeTarHeader("ceph/pool/-/name", 5);
  for (let at = 0; at < TAR_BLOCK; at++) {
    const changed = Buffer.from(header);
    changed[at] = (changed[at] as number) ^ 0x01;
    // The end of the checksum field, a NUL and a space, is not used.
    if (at === 155) continue;
    t.throws(() => decodeTarBlock(changed), { instanceOf: TarError }, `byte ${at}`);
  }
});

test("only a block of zeros is the end of a tar", (t) => {
  t.is(decodeTarBlock(Buffer.alloc(TAR_BLOCK)), undefined);
  for (let at = 0; at < TAR_BLOCK; at++) {
    const changed = Buffer.alloc(TAR_BLOCK);
    changed[at] = 0x30;
    t.throws(() => decodeTarBlock(changed), { instanceOf: TarError }, `byte ${at}`);
  }
});

test("any block and any pax records are read or rejected with a TarError", (t) => {
  const refusedOrRead = (read: () => unknown) => {
    try {
      read();
    } catch (error) {
      t.true(error instanceof TarError, String(error));
    }
  };
  const template = encodeTarHeader("name", 7);
  const mutation = fc.array(fc.tuple(fc.nat(TAR_BLOCK - 1), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(mutation, fc.uint8Array({ maxLength: 60 }), (changes, pax) => {
      const block = Buffer.from(template);
      for (const [at, value] of changes) block[at] = value;
      refusedOrRead(() => decodeTarBlock(block));
      refusedOrRead(() => decodePax(Buffer.from(pax)));
    }),
    { numRuns: 2000 },
  );
  const wrong = [
    "5",
    "x a=b\n",
    "6 a=b",
    "0 a=b\n",
    "99 a=b\n",
    "1e1 a=bcd\n",
    "5 ab\n",
    "12 size=1e3\n",
    "12 size=-1\n",
    "11 size=\n",
    "13 mtime=x\n",
    "14 size=0x10\n",
  ];
  for (const text of wrong) {
    t.throws(() => decodePax(Buffer.from(text)), { instanceOf: TarError }, JSON.stringify(text));
  }
});
