import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import test, { type ExecutionContext } from "ava";
import { compress } from "zstd-napi";
import { FileType, METADATA_NAME } from "../../src/archive/format.js";
import { encodeTarHeader, TAR_END } from "../../src/archive/tar/tar-header.js";
import { catBackup } from "../../src/operations/cat/cat.js";
import { boast, bomb } from "../support/archive/bombs.js";
import { Forger } from "../support/archive/forge.js";
import { type MeasuredReading, readMeasured } from "../support/archive/measured.js";
import { object, SAMPLE_PASSPHRASE, writeSample } from "../support/archive/sample.js";
import { newFolder } from "../support/folders.js";

const ARCHIVE = "ARCHIVE00000.bin";
const MIB = 1 << 20;
/** Memory that a rejection may take above reading a valid backup. */
const ALLOWED_KIB = 48 << 10;
/** The same for address space, where threads leave some noise; each claim here is far larger. */
const ALLOWED_ADDRESSES_KIB = 512 << 10;

/** Measured once: it is the same for each. */
let honestReading: Promise<MeasuredReading> | undefined;

async function forger(): Promise<Forger> {
  const folder = newFolder();
  const { keys, metadata } = await writeSample(folder, { objects: [object("one", "data")] });
  return new Forger(folder, keys, metadata);
}

/** Asserts that the backup is rejected as damaged in `file`, in the memory of a valid one. */
async function refused(
  t: ExecutionContext,
  forged: Forger,
  what: string,
  file: string,
  allowedKiB = ALLOWED_KIB,
): Promise<void> {
  honestReading ??= forger().then(({ folder }) => readMeasured(folder));
  const honest = await honestReading;
  t.is(honest.code, "read");
  const found = await readMeasured(forged.folder);
  t.is(found.code, "DAMAGED", what);
  t.true(found.message.startsWith(file), `${what}: ${found.message}`);
  const grown = found.residentKiB - honest.residentKiB;
  t.true(grown < allowedKiB, `${what}: ${grown} KiB more`);
  const asked = found.addressSpaceKiB - honest.addressSpaceKiB;
  t.true(asked < ALLOWED_ADDRESSES_KIB + allowedKiB, `${what}: ${asked} KiB more asked for`);
}

for (const [name, type] of [
  ["INDEX.bin", FileType.index],
  [ARCHIVE, FileType.archive],
] as const) {
  test(`${name}: a chunk of 1 MiB that unpacks to 32 GiB is rejected without allocating its memory`, async (t) => {
    const forged = await forger();
    const frames = [bomb(MIB - 1024)];
    await forged.replace(name, forged.sealFrames(type, 0, frames));
    await refused(t, forged, "a bomb", name);
  });

  test(`${name}: a frame that claims 2^60 bytes is rejected without allocating their memory`, async (t) => {
    const forged = await forger();
    await forged.replace(name, forged.sealFrames(type, 0, [boast(1n << 60n)]));
    await refused(t, forged, "a boast", name);
  });

  test(`${name}: a header that asks for chunks above 64 MiB is rejected without allocating their memory`, async (t) => {
    for (const chunkBytes of [64 * MIB + 1, 0xffffffff]) {
      const forged = await forger();
      const file = forged.sealFrames(type, 0, [compress(Buffer.from("x"))], chunkBytes);
      await forged.replace(name, file);
      await refused(t, forged, `${chunkBytes}`, name);
    }
  });
}

test("METADATA.bin: bombs, forged sizes and absurd chunk sizes are rejected without allocating memory", async (t) => {
  const small = compress(Buffer.from("x"));
  const cases: [string, Buffer[], number | undefined][] = [
    ["a bomb", [bomb(MIB - 1024)], undefined],
    ["a boast", [boast(1n << 60n)], undefined],
    ["large chunks", [small], 0xffffffff],
  ];
  for (const [what, frames, chunkBytes] of cases) {
    const forged = await forger();
    await forged.setMetadataFile(forged.sealFrames(FileType.metadata, 0, frames, chunkBytes));
    await refused(t, forged, what, METADATA_NAME);
  }
});

test("METADATA.bin: facts of absurd lengths or depth are rejected without allocating memory", async (t) => {
  const absurd = {
    "2 GiB of bytes": Buffer.from("5a7fffffff", "hex"),
    "2^63 bytes": Buffer.from("5b7fffffffffffffff", "hex"),
    "an array of 2^31 items": Buffer.from("9a7fffffff", "hex"),
    "an array of 2^52 items": Buffer.from("9b000fffffffffffff", "hex"),
    "a map of 2^48 pairs": Buffer.from("bb0000ffffffffffff", "hex"),
    "an array in an array, a million deep": Buffer.alloc(1_000_000, 0x81),
  };
  for (const [what, plain] of Object.entries(absurd)) {
    const forged = await forger();
    await forged.setMetadataPlain(plain);
    await refused(t, forged, what, METADATA_NAME);
  }
});

test("INDEX.bin: an item of an absurd length does not bring the file into memory", async (t) => {
  for (const claim of ["5b0000ffffffffffff", "8300005b0000ffffffffffff", "8300005a05000001"]) {
    const forged = await forger();
    await forged.replace("INDEX.bin", forged.sealFrames(FileType.index, 0, beginningWith(claim)));
    await refused(t, forged, claim, "INDEX.bin");
  }
});

test("INDEX.bin: the largest item is in memory twice at most", async (t) => {
  const forged = await forger();
  const frames = beginningWith("8300005a04ffff00");
  await forged.replace("INDEX.bin", forged.sealFrames(FileType.index, 0, frames));
  await refused(t, forged, "80 MiB", "INDEX.bin", ALLOWED_KIB + (160 << 10));
});

/** 512 MiB in chunks of 1 MiB that take a few bytes each: what `hex` says, and zeros. */
function beginningWith(hex: string): Buffer[] {
  const first = Buffer.alloc(MIB);
  first.set(Buffer.from(hex, "hex"));
  const zeros = compress(Buffer.alloc(MIB));
  return [compress(first), ...Array.from({ length: 511 }, () => zeros)];
}

test("a tar entry of an absurd size is rejected without allocating memory", async (t) => {
  const attrs = "ceph-attrs/pool/-/one.cbor";
  const sizes = {
    "8 GiB in octal": encodeTarHeader(attrs, 0o77777777777),
    "2^53 - 1 in pax": encodeTarHeader(attrs, Number.MAX_SAFE_INTEGER),
    "one more than an entry may have": encodeTarHeader(attrs, 80 * MIB + 1),
    "data of 2^53 - 1": encodeTarHeader("ceph/pool/-/one", Number.MAX_SAFE_INTEGER),
  };
  for (const [what, header] of Object.entries(sizes)) {
    const forged = await forger();
    await forged.replaceArchive(ARCHIVE, 0, Buffer.concat([header, Buffer.alloc(4096)]));
    await refused(t, forged, what, ARCHIVE);
  }
});

test("CBOR of absurd counts and lengths in the tar is rejected without allocating memory", async (t) => {
  const entries: [string, string][] = [
    ["ceph-attrs/pool/-/one.cbor", "839affffffff"],
    ["ceph-attrs/pool/-/one.cbor", "83805bffffffffffffffff80"],
    ["etcd/records/00000000.cbor", "865a7fffffff"],
    ["etcd/leases/00000000.cbor", "9b001fffffffffffff"],
    ["tombstones/00000000.cbor", "847a7fffffff"],
  ];
  for (const [path, hex] of entries) {
    const forged = await forger();
    const content = Buffer.alloc(512);
    const bytes = Buffer.from(hex, "hex");
    content.set(bytes);
    const tar = Buffer.concat([encodeTarHeader(path, bytes.length), content, TAR_END]);
    await forged.replaceArchive(ARCHIVE, 0, tar);
    await refused(t, forged, `${path} ${hex}`, ARCHIVE);
  }
});

test("entries of millions of small items are rejected without allocating memory", async (t) => {
  const record = Buffer.from("86404000000000", "hex");
  const pair = Buffer.from("824040", "hex");
  const count = Buffer.from("9a01000000", "hex");
  const entries: [string, Buffer][] = [
    ["etcd/records/00000000.cbor", Buffer.alloc(70 * MIB, record).subarray(0, 70 * MIB - 4)],
    [
      "ceph-attrs/pool/-/one.cbor",
      Buffer.concat([Buffer.from("838040", "hex"), count, Buffer.alloc(3 << 24, pair)]),
    ],
  ];
  for (const [path, content] of entries) {
    const forged = await forger();
    const rest = Buffer.alloc(-content.length & 511);
    const tar = Buffer.concat([encodeTarHeader(path, content.length), content, rest, TAR_END]);
    await forged.replaceArchive(ARCHIVE, 0, tar);
    await refused(t, forged, path, ARCHIVE, 350 << 10);
  }
});

test("cat writes nothing but entries of a backup", async (t) => {
  const context = {
    signal: new AbortController().signal,
    report: () => {},
    passphrase: async () => Buffer.from(SAMPLE_PASSPHRASE),
  };
  const path = "ceph/pool/-/one";
  const link = encodeTarHeader(path, 0);
  link.write("2", 156);
  link.write("/etc/passwd", 157);
  link.fill(" ", 148, 156);
  link.write(
    `${link
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  for (const header of [encodeTarHeader("../escaped", 0), encodeTarHeader("/absolute", 0), link]) {
    const forged = await forger();
    await forged.replaceArchive(ARCHIVE, 0, Buffer.concat([header, TAR_END]));
    const output = new PassThrough();
    const said = output.toArray();
    const location = { kind: "folder", folder: forged.folder } as const;
    await t.throwsAsync(catBackup({ location, output }, context), { code: "DAMAGED" });
    output.end();
    t.is(Buffer.concat(await said).length, 0);
  }
});

test("MANIFEST.json and METADATA.bin of 10 GiB are rejected before they are read", async (t) => {
  for (const name of ["MANIFEST.json", METADATA_NAME]) {
    const forged = await forger();
    const path = join(forged.folder, name);
    writeFileSync(path, "{");
    truncateSync(path, 10 * 2 ** 30);
    await refused(t, forged, name, name);
  }
});
