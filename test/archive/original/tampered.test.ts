import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { PassphraseKeys } from "../../../src/archive/crypto/backup-keys.js";
import { newFolder } from "../../support/folders.js";
import { originalFixture } from "../../support/original/fixtures.js";
import { readOriginal } from "../../support/original/judge.js";
import {
  framesOf,
  type OriginalObjectToWrite,
  writeOriginal,
} from "../../support/original/writer.js";

const OBJECTS: OriginalObjectToWrite[] = ["one", "two", "three"].map((name) => ({
  pool: "pool",
  name,
  content: Buffer.from(`the content of ${name}`),
  xattrs: [["x", Buffer.from("y")]],
  omap: [["k", Buffer.from("v")]],
}));
const RECORDS = [["key", Buffer.from("value")]] as const;
const ARCHIVE = "ARCHIVE00000.bin";

async function small(): Promise<string> {
  const folder = newFolder();
  await writeOriginal(folder, [{ objects: OBJECTS, records: RECORDS }]);
  return folder;
}

test("an archive of the original tool is read without gaps", async (t) => {
  for (const set of ["intact", "damaged"] as const) {
    const full = await readOriginal(originalFixture(set, "full"));
    t.like(full, { code: "read", objects: 11, records: 121, gaps: [], missing: 0 }, full.message);
    const incremental = await readOriginal(originalFixture(set, "incremental"));
    t.like(incremental, { code: "read", objects: 2, records: 120, gaps: [], missing: 0 });
  }
});

test("each flipped byte is damage, or a wrong passphrase where the format cannot distinguish them", async (t) => {
  const folder = newFolder();
  await writeOriginal(folder, [{ objects: OBJECTS.slice(0, 1), records: RECORDS }]);
  for (const file of [ARCHIVE, "METADATA.bin"]) {
    const path = join(folder, file);
    const bytes = readFileSync(path);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ 0x10;
      writeFileSync(path, changed);
      const { code, message } = await readOriginal(folder);
      if (code !== "DAMAGED" || !message.startsWith(file)) t.fail(`${file} byte ${at}: ${message}`);
    }
    writeFileSync(path, bytes);
  }
  t.is((await readOriginal(folder)).code, "read");
});

test("a file truncated in a frame is damage; truncated between frames, objects are missing", async (t) => {
  const folder = await small();
  const path = join(folder, ARCHIVE);
  const bytes = readFileSync(path);
  const ends = new Map<number, number>();
  framesOf(path).reduce((at, frame, i) => {
    ends.set(at + frame.length, i + 1);
    return at + frame.length;
  }, 0);
  for (let length = 0; length < bytes.length; length++) {
    writeFileSync(path, bytes.subarray(0, length));
    const { code, message, gaps, missing } = await readOriginal(folder);
    const frames = ends.get(length);
    if (frames === undefined) {
      t.is(code, "DAMAGED", `${length}: ${message}`);
    } else if (frames < OBJECTS.length) {
      t.is(code, "read");
      t.is(missing, OBJECTS.length - frames);
      t.regex(gaps.join(), /names 3 objects, but the ARCHIVE files hold/);
    }
  }
});

test("frames that are dropped, repeated or moved are found", async (t) => {
  const folder = await small();
  const path = join(folder, ARCHIVE);
  const metadata = join(folder, "METADATA.bin");
  const [one, two, three, records] = framesOf(path) as [Buffer, Buffer, Buffer, Buffer];
  const [facts] = framesOf(metadata) as [Buffer];
  const read = async (...frames: Buffer[]) => {
    writeFileSync(path, Buffer.concat(frames));
    return readOriginal(folder);
  };
  t.is((await read(one, three, records)).missing, 1);
  t.like(await read(two, one, three, records), { code: "read", missing: 0, objects: 3 });
  t.like(await read(one, one, two, three, records), { code: "read", missing: 0, objects: 4 });
  t.like(await read(one, facts), { code: "DAMAGED" });
  // The type is not authenticated: the content of a frame with another type is invalid.
  const disguised = Buffer.from(one);
  disguised[7] = 10;
  t.regex((await read(disguised)).message, /ARCHIVE00000.bin chunk 0: .*no KVz/);
  await read(one, two, three, records);
  writeFileSync(metadata, Buffer.concat([facts, facts]));
  t.is((await readOriginal(folder)).code, "DAMAGED");
  writeFileSync(metadata, one);
  t.is((await readOriginal(folder)).code, "DAMAGED");
});

test("a repeated object and one with other contents are reported separately", async (t) => {
  const folder = newFolder();
  const [one, two, three] = OBJECTS as [
    OriginalObjectToWrite,
    OriginalObjectToWrite,
    OriginalObjectToWrite,
  ];
  const other = { ...two, omap: [["k", Buffer.from("w")]] } as const;
  await writeOriginal(folder, [
    { objects: [one, two, one, three], records: RECORDS },
    { objects: [three, other, other, one], records: RECORDS },
  ]);
  const found = { code: "read", objects: 8, again: 5, others: ["two", "two"], backwards: 1 };
  t.like(await readOriginal(folder), { ...found, missing: 0 });
  // Without its names and times too.
  rmSync(join(folder, "METADATA.bin"));
  t.like(await readOriginal(folder), found);
  await writeOriginal(join(folder, "sound"), [{ objects: OBJECTS, records: RECORDS }]);
  t.like(await readOriginal(join(folder, "sound")), { again: 0, others: [], backwards: 0 });
});

test("files that are missing, too many or swapped are found", async (t) => {
  const folder = newFolder();
  const [first, second, third] = OBJECTS as [
    OriginalObjectToWrite,
    OriginalObjectToWrite,
    OriginalObjectToWrite,
  ];
  await writeOriginal(folder, [{ objects: [first] }, { objects: [second] }, { objects: [third] }]);
  const changed = async (change: (copy: string) => void) => {
    const copy = join(newFolder(), "copy");
    cpSync(folder, copy, { recursive: true });
    change(copy);
    return readOriginal(copy);
  };
  const last = await changed((copy) => rmSync(join(copy, "ARCHIVE00002.bin")));
  t.is(last.code, "MISSING_FILE");
  t.regex(last.message, /ARCHIVE00002\.bin: .*there were 3 ARCHIVE files/);
  const middle = await changed((copy) => rmSync(join(copy, "ARCHIVE00001.bin")));
  t.is(middle.code, "MISSING_FILE");
  t.regex(middle.message, /ARCHIVE00001\.bin: it is not there, but ARCHIVE00002\.bin is/);
  const more = await changed((copy) =>
    cpSync(join(copy, "ARCHIVE00000.bin"), join(copy, "ARCHIVE00003.bin")),
  );
  t.is(more.code, "DAMAGED");
  const metadata = await changed((copy) => rmSync(join(copy, "METADATA.bin")));
  t.like(metadata, { code: "read", objects: 3 });
  t.regex(metadata.gaps.join(), /METADATA\.bin is missing/);
  const pools = await changed((copy) => rmSync(join(copy, "pools.txt")));
  t.like(pools, { code: "read", objects: 3 });
  t.regex(pools.gaps.join(), /pools\.txt is missing/);
  const swapped = await changed((copy) => {
    renameSync(join(copy, "METADATA.bin"), join(copy, "x"));
    renameSync(join(copy, "ARCHIVE00000.bin"), join(copy, "METADATA.bin"));
    renameSync(join(copy, "x"), join(copy, "ARCHIVE00000.bin"));
  });
  t.is(swapped.code, "DAMAGED");
});

test("without pools.txt and METADATA.bin, the objects name the pools", async (t) => {
  const folder = newFolder();
  const [one, two] = OBJECTS as [OriginalObjectToWrite, OriginalObjectToWrite];
  await writeOriginal(folder, [{ objects: [one] }, { objects: [{ ...two, pool: "other" }] }]);
  rmSync(join(folder, "METADATA.bin"));
  rmSync(join(folder, "pools.txt"));
  t.like(await readOriginal(folder), { code: "read", objects: 2, pools: ["pool", "other"] });
  // A pools.txt with some of them counts.
  writeFileSync(join(folder, "pools.txt"), "pool\n");
  t.like(await readOriginal(folder), { code: "DAMAGED", pools: ["pool"] });
});

test("an incremental in which nothing changed has no ARCHIVE file", async (t) => {
  const folder = newFolder();
  await writeOriginal(folder, []);
  t.like(await readOriginal(folder), { code: "read", objects: 0, records: 0, gaps: [] });
});

test("a wrong passphrase is distinguished from damage where possible", async (t) => {
  const folder = await small();
  const wrong = new PassphraseKeys(Buffer.from("wrong"));
  t.is((await readOriginal(folder, wrong)).code, "WRONG_PASSPHRASE");
  rmSync(join(folder, "METADATA.bin"));
  t.is((await readOriginal(folder, wrong)).code, "WRONG_PASSPHRASE");
  t.is((await readOriginal(folder)).code, "read");
});
