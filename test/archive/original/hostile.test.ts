import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encode } from "@msgpack/msgpack";
import test, { type ExecutionContext } from "ava";
import { newFolder } from "../../support/folders.js";
import type { OriginalReading } from "../../support/original/judge.js";
import {
  frame,
  metadataPayload,
  objectPayload,
  originalKey,
  recordsPayload,
  writeOriginal,
} from "../../support/original/writer.js";
import { runProcess } from "../../support/program/processes.js";

const PROGRAM = fileURLToPath(new URL("../../support/original/read-program.js", import.meta.url));
const MIB = 1 << 20;
/** Memory that a rejection may take above reading a valid archive. */
const ALLOWED_KIB = 48 << 10;

type Measured = OriginalReading & { residentKiB: number; addressSpaceKiB: number };

/** Reads in a new process, which must not be killed. */
async function measured(folder: string): Promise<Measured> {
  const { code, signal, stdout, stderr } = await runProcess(process.execPath, [PROGRAM, folder]);
  if (code !== 0) throw new Error(`ended with ${code ?? signal}: ${stderr}`);
  return JSON.parse(stdout.toString());
}

let honest: Promise<Measured> | undefined;

async function refused(t: ExecutionContext, what: string, folder: string): Promise<void> {
  honest ??= (async () => {
    const sample = newFolder();
    await writeOriginal(sample, [{ records: [["k", Buffer.from("v")]] }]);
    return measured(sample);
  })();
  const normal = await honest;
  t.is(normal.code, "read", normal.message);
  const found = await measured(folder);
  t.is(found.code, "DAMAGED", `${what}: ${found.message}`);
  const grown = found.residentKiB - normal.residentKiB;
  t.true(grown < ALLOWED_KIB, `${what}: ${grown} KiB more`);
}

/** An archive of one frame, with its METADATA.bin. */
async function oneFrame(bytes: Uint8Array): Promise<string> {
  const folder = newFolder();
  writeFileSync(join(folder, "ARCHIVE00000.bin"), bytes);
  writeFileSync(join(folder, "METADATA.bin"), await frame(30, metadataPayload(1, [])));
  writeFileSync(join(folder, "pools.txt"), "pool\n");
  return folder;
}

test("frames of absurd lengths are rejected without allocating memory", async (t) => {
  const whole = await frame(10, recordsPayload([]));
  for (const length of [0n, 15n, 2n ** 30n, 2n ** 30n + 1n, 2n ** 62n, 2n ** 64n - 1n]) {
    const bytes = Buffer.from(whole);
    bytes.writeBigUInt64BE(length, 8);
    await refused(t, `${length}`, await oneFrame(bytes));
  }
});

test("invalid snappy blocks and absurd lengths are rejected without allocating memory", async (t) => {
  const blocks = {
    "4 GiB from nothing": "ffffffff0f",
    "1 GiB and a byte": "8180808004",
    "1 GiB from 5 bytes": "8080808004",
    "a length without end": "ffffffffffff",
    nothing: "",
    "shorter than it says": "0a0041",
    "a copy from before its beginning": "08010c",
    "a literal past its end": "10fcffffffff41",
  };
  for (const [what, hex] of Object.entries(blocks)) {
    const block = Buffer.from(hex, "hex");
    await refused(t, what, await oneFrame(await frame(10, Buffer.alloc(0), { block })));
  }
});

test("MessagePack of absurd counts and depths is rejected without allocating memory", async (t) => {
  const kvz = Buffer.from("81a34b567a", "hex");
  const payloads = {
    "2^32 - 1 records": Buffer.concat([kvz, Buffer.from("ddffffffff", "hex")]),
    "a key of 4 GiB": Buffer.concat([kvz, Buffer.from("9182a34b6579dbffffffff", "hex")]),
    "arrays in arrays, a million deep": Buffer.concat([kvz, Buffer.alloc(MIB, 0x91)]),
    "a map of 2^32 - 1": Buffer.from("dfffffffff", "hex"),
    "an extension": Buffer.from("81a34b567ac70100", "hex"),
    "8 MiB of empty arrays": Buffer.concat([
      kvz,
      Buffer.from("dd00800000", "hex"),
      Buffer.alloc(8 * MIB, 0x90),
    ]),
    "no map at all": Buffer.from("c0", "hex"),
    "more after it": Buffer.concat([recordsPayload([]), Buffer.from([0])]),
  };
  for (const [what, payload] of Object.entries(payloads)) {
    await refused(t, what, await oneFrame(await frame(10, payload)));
  }
  const object = encode({ OMAPData: [], XATTRData: {}, Content: "", Name: "", Namespace: "" });
  await refused(t, "an object without a pool", await oneFrame(await frame(20, object)));
});

test("METADATA.bin that claims a billion objects is rejected without allocating a table", async (t) => {
  const folder = newFolder();
  await writeOriginal(folder, []);
  const claims = Buffer.from(
    "82ad4e756d6265724f6646696c657300aa54696d657374616d7073dd3b9aca00",
    "hex",
  );
  writeFileSync(join(folder, "METADATA.bin"), await frame(30, claims));
  await refused(t, "a billion times", folder);
});

test("millions of records in one frame are read a page at a time", async (t) => {
  const count = 2_000_000;
  const one = encode({ Key: "", Value: new Uint8Array(0) });
  const head = Buffer.from("81a34b567add00000000", "hex");
  head.writeUInt32BE(count, 6);
  const payload = Buffer.concat([head, Buffer.alloc(count * one.length, Buffer.from(one))]);
  const folder = await oneFrame(await frame(10, payload));
  const found = await measured(folder);
  t.is(found.code, "read", found.message);
  t.is(found.records, count);
  // The frame itself, compressed and not, and no object for each record.
  t.true(found.residentKiB < 250 << 10, `${found.residentKiB >> 10} MiB`);
});

test("a second file of 2 GiB and an object of 49 MiB are read in bounded memory", async (t) => {
  await originalKey();
  const folder = newFolder();
  const large = Buffer.alloc(49 * MIB, "no two lines of this are worth compressing\n");
  const objects = [{ pool: "pool", name: "large", content: large }];
  const piece = { pool: "pool", name: "many", content: Buffer.alloc(4 * MIB) };
  // Noise, so that the file is as long as its content.
  for (let at = 0; at < piece.content.length; at += 4) {
    piece.content.writeUInt32LE((Math.imul(at, 2654435761) ^ (at << 7)) >>> 0, at);
  }
  await writeOriginal(folder, [{ objects }, { objects: [] }]);
  const file = openSync(join(folder, "ARCHIVE00001.bin"), "w");
  const bytes = await frame(20, objectPayload(piece));
  const frames = Math.ceil((2 * 2 ** 30) / bytes.length);
  for (let i = 0; i < frames; i++) writeSync(file, bytes);
  closeSync(file);
  writeFileSync(
    join(folder, "METADATA.bin"),
    await frame(30, metadataPayload(2, [...objects, piece])),
  );
  const found = await measured(folder);
  t.is(found.code, "read", found.message);
  t.is(found.objects, 1 + frames);
  t.is(found.contentBytes, large.length + frames * piece.content.length);
  t.is(found.missing, 0);
  t.true(found.residentKiB < 400 << 10, `${found.residentKiB >> 10} MiB`);
});
