import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { FolderFiles } from "../../../src/archive/backup-files.js";
import { PassphraseKeys } from "../../../src/archive/crypto/backup-keys.js";
import { BackupReader } from "../../../src/archive/backup-reader.js";
import { ArchiveError } from "../../../src/archive/errors.js";
import { INDEX_NAME, METADATA_NAME } from "../../../src/archive/format.js";
import { KDF_CEILING, type KdfDemand } from "../../../src/archive/crypto/passphrase-key.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { Forger } from "../../support/archive/forge.js";
import { object, SAMPLE_PASSPHRASE, writeSample } from "../../support/archive/sample.js";
import { newFolder } from "../../support/folders.js";

const [FIRST, SECOND] = ["ARCHIVE00000.bin", "ARCHIVE00001.bin"] as const;

/** The offsets of the parts of the only key slot of a header. */
const PLACES = { type: 38, salt: 41, memory: 57, passes: 61, lanes: 65, nonce: 69, key: 93 };

async function forger(): Promise<Forger> {
  const folder = newFolder();
  const objects = [object("one", "x".repeat(600)), object("two", "y".repeat(600))];
  const { keys, metadata } = await writeSample(folder, { objects }, { archiveBytes: 1 });
  return new Forger(folder, keys, metadata);
}

function bytesOf(forged: Forger, name: string): Buffer {
  return readFileSync(join(forged.folder, name));
}

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
  return changed;
}

/** Changes a byte of a header; the manifest agrees with it. */
async function flip(forged: Forger, name: string, at: number): Promise<void> {
  const changed = flipped(bytesOf(forged, name), at);
  if (name === METADATA_NAME) await forged.setMetadataFile(changed);
  else await forged.replace(name, changed);
}

async function opening(
  { folder }: Forger,
  passphrase = SAMPLE_PASSPHRASE,
): Promise<{ error: ArchiveError | undefined; demands: KdfDemand[] }> {
  const pool = new SealPool(1);
  const demands: KdfDemand[] = [];
  const keys = new PassphraseKeys(Buffer.from(passphrase), (demand) => demands.push(demand));
  try {
    await BackupReader.open(new FolderFiles(folder), keys, pool);
    return { error: undefined, demands };
  } catch (error) {
    if (error instanceof ArchiveError) return { error, demands };
    throw error;
  } finally {
    await pool.close();
  }
}

test("the error of a damaged key slot of METADATA.bin names the file whose slot opens", async (t) => {
  t.is((await opening(await forger())).error, undefined);
  for (const [what, at] of Object.entries(PLACES)) {
    const forged = await forger();
    await flip(forged, METADATA_NAME, at);
    const { error } = await opening(forged);
    t.is(error?.code, "DAMAGED", what);
    t.is(error?.file, METADATA_NAME, what);
    if (error?.message.includes("outside of what this program accepts")) continue;
    t.regex(error?.message ?? "", /(key slot 1|list of key slots) is not the one of INDEX\.bin/);
    t.regex(error?.hint ?? "", /another copy/);
  }
});

test("slots in other files are compared when INDEX.bin is damaged or missing", async (t) => {
  const spoilers: Record<string, (forged: Forger) => void | Promise<void>> = {
    "in its key slot": (forged) => flip(forged, INDEX_NAME, PLACES.nonce),
    "in its magic": (forged) => flip(forged, INDEX_NAME, 0),
    "as a whole": (forged) => writeFileSync(join(forged.folder, INDEX_NAME), ""),
    missing: (forged) => rmSync(join(forged.folder, INDEX_NAME)),
    "of another backup": async (forged) => {
      const other = bytesOf(await forger(), INDEX_NAME);
      writeFileSync(join(forged.folder, INDEX_NAME), other);
    },
  };
  for (const [what, spoil] of Object.entries(spoilers)) {
    const forged = await forger();
    await spoil(forged);
    await flip(forged, METADATA_NAME, PLACES.key);
    const { error } = await opening(forged);
    t.is(error?.code, "DAMAGED", what);
    t.is(error?.file, METADATA_NAME, what);
    t.regex(error?.message ?? "", /not the one of ARCHIVE00000\.bin, which opens/, what);
  }
});

test("a wrong passphrase is reported as such when the slots of an ARCHIVE file are damaged", async (t) => {
  const forged = await forger();
  await flip(forged, SECOND, PLACES.salt);
  t.is((await opening(forged)).error?.file, SECOND);
  const whole = await opening(await forger(), "wrong");
  t.is(whole.error?.code, "WRONG_PASSPHRASE");
  t.regex(whole.error?.hint ?? "", /the same in INDEX\.bin/);
});

test("slots that differ and do not open are damage, with a hint at the passphrase", async (t) => {
  const forged = await forger();
  await flip(forged, METADATA_NAME, PLACES.key);
  const wrong = await opening(forged, "wrong");
  t.is(wrong.error?.code, "DAMAGED");
  t.regex(wrong.error?.message ?? "", /neither opens/);
  t.regex(wrong.error?.hint ?? "", /check the passphrase/);
  // All of them are damaged, each in another way.
  for (const [i, name] of [INDEX_NAME, FIRST, SECOND].entries()) {
    await flip(forged, name, PLACES.nonce + i);
  }
  await flip(forged, METADATA_NAME, PLACES.key);
  await flip(forged, METADATA_NAME, PLACES.key + 1);
  t.is((await opening(forged)).error?.code, "DAMAGED");
});

test("without slots to compare, the error names both causes", async (t) => {
  const forged = await forger();
  await flip(forged, METADATA_NAME, PLACES.salt);
  for (const name of [INDEX_NAME, FIRST, SECOND]) rmSync(join(forged.folder, name));
  const { error } = await opening(forged);
  t.is(error?.code, "WRONG_PASSPHRASE");
  t.regex(error?.hint ?? "", /check the passphrase; if it is right, METADATA\.bin is damaged/);
});

test("the cost of slots in other files does not count against the limit of a header", async (t) => {
  const forged = await forger();
  // The most that one header may ask for; METADATA.bin's own slot was tried already.
  const costly = (bytes: Buffer, salt: number): Buffer => {
    const changed = Buffer.from(bytes);
    changed.writeUInt32LE(KDF_CEILING.memoryKiB, PLACES.memory);
    changed.writeUInt32LE(KDF_CEILING.passes, PLACES.passes);
    changed.fill(salt, PLACES.salt, PLACES.memory);
    return changed;
  };
  for (const name of [INDEX_NAME, FIRST]) {
    writeFileSync(join(forged.folder, name), costly(bytesOf(forged, name), 1));
  }
  await flip(forged, METADATA_NAME, PLACES.key);
  const { error, demands } = await opening(forged);
  t.is(error?.code, "DAMAGED");
  t.deepEqual(demands, []);
});
