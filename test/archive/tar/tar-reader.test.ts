import test from "ava";
import fc from "fast-check";
import { Chunk } from "../../../src/archive/seal/chunk-reader.js";
import { ArchiveError } from "../../../src/archive/errors.js";
import {
  encodeTarHeader,
  TAR_BLOCK,
  TAR_END,
  tarPadding,
} from "../../../src/archive/tar/tar-header.js";
import { readTar, type TarEvent } from "../../../src/archive/tar/tar-reader.js";

async function* cut(tar: Buffer, every: number): AsyncGenerator<Chunk> {
  for (let at = 0; at < tar.length; at += every) {
    yield new Chunk(tar.subarray(at, at + every), () => {});
  }
}

async function read(tar: Buffer, every = 512): Promise<TarEvent[]> {
  const all: TarEvent[] = [];
  for await (const { events } of readTar(cut(tar, every), "f")) all.push(...events);
  return all;
}

function entry(path: string, content: Uint8Array, mtime?: bigint): Buffer {
  const padding = Buffer.alloc(tarPadding(content.length));
  return Buffer.concat([encodeTarHeader(path, content.length, mtime), content, padding]);
}

async function refused(tar: Buffer): Promise<string> {
  try {
    await read(tar);
    return "read";
  } catch (error) {
    return error instanceof ArchiveError && error.code === "DAMAGED"
      ? error.message
      : String(error);
  }
}

test("entries are the same, however the tar is cut into chunks", async (t) => {
  const content = fc.uint8Array({ maxLength: 1200 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.boolean(), content), { maxLength: 5 }),
      fc.integer({ min: 1, max: 2000 }),
      async (entries, every) => {
        const tar = Buffer.concat([
          ...entries.map(([data, bytes]) =>
            data ? entry("ceph/p/-/o", bytes, 5n) : entry("tombstones/00000000.cbor", bytes),
          ),
          TAR_END,
        ]);
        const found: Buffer[] = [];
        for (const event of await read(tar, every)) {
          if (event.type === "data-start") found.push(Buffer.alloc(0));
          if (event.type === "data")
            found.push(Buffer.concat([found.pop() ?? Buffer.alloc(0), event.bytes]));
          if (event.type === "entry") found.push(event.content);
        }
        t.deepEqual(
          found.map((bytes) => bytes.toString("hex")),
          entries.map(([, bytes]) => Buffer.from(bytes).toString("hex")),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test("a tar ends with two blocks of zeros, no fewer and no more", async (t) => {
  const one = entry("ceph/p/-/o", Buffer.from("data"), 5n);
  const zeros = (blocks: number) => Buffer.alloc(blocks * TAR_BLOCK);
  t.is(await refused(Buffer.concat([one, zeros(2)])), "read");
  t.regex(await refused(Buffer.concat([one, zeros(3)])), /after the end/);
  t.regex(await refused(Buffer.concat([one, zeros(2), Buffer.alloc(1)])), /after the end/);
  t.regex(await refused(Buffer.concat([one, zeros(1)])), /has no end/);
  t.regex(await refused(one), /has no end/);
  t.regex(await refused(Buffer.alloc(0)), /has no end/);
  t.regex(await refused(Buffer.concat([zeros(1), one, zeros(2)])), /after the end/);
  t.regex(await refused(Buffer.concat([zeros(2), one])), /after the end/);
});

test("a tar cut off at any byte has no end", async (t) => {
  const tar = Buffer.concat([entry("ceph/p/-/o", Buffer.from("data"), -1n), TAR_END]);
  for (let length = 0; length < tar.length; length++) {
    t.regex(await refused(tar.subarray(0, length)), /has no end/, `${length}`);
  }
});

test("pax records belong to the entry right after them", async (t) => {
  const whole = encodeTarHeader("ceph/p/-/o", 0, 5n);
  const pax = whole.subarray(0, 2 * TAR_BLOCK);
  t.is(await refused(Buffer.concat([whole, TAR_END])), "read");
  t.regex(await refused(Buffer.concat([pax, TAR_END])), /pax header without its entry/);
  t.regex(await refused(Buffer.concat([pax, whole, TAR_END])), /pax header without its entry/);
});
