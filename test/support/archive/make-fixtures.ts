/**
 * Makes missing backups in fixtures/: node dist/test/support/archive/make-fixtures.js fixtures
 * Existing ones stay: a frozen backup shows that later versions still read it.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { FAULTS } from "./faults.js";
import { FEATURES } from "./features.js";
import { Forger } from "./forge.js";
import { noise } from "./full-sample.js";
import { readAll, readingDigest } from "./judge.js";
import { fixedKeys } from "./fixed-keys.js";
import { FAULT_RANGE, faultFile, STREAM_FAULTS } from "./stream-faults.js";
import { STREAM_FEATURES } from "./stream-features.js";
import { FixtureStream, linesDigest, readStreams } from "./stream-fixtures.js";
import { object, record, SAMPLE_PASSPHRASE, samplePassphrase, writeSample } from "./sample.js";

const root = process.argv[2] ?? "fixtures";
const pool = new SealPool(1);
const passphrase = samplePassphrase();

function expected(folder: string, facts: object): void {
  writeFileSync(join(folder, "expected.json"), `${JSON.stringify(facts, null, 2)}\n`);
}

for (const [name, feature] of Object.entries(FEATURES)) {
  const folder = join(root, "good", name);
  if (existsSync(folder)) continue;
  const backup = join(folder, "backup");
  mkdirSync(backup, { recursive: true });
  const { metadata } = await feature(backup, join(folder, "base"));
  const reading = await readAll(backup, passphrase, pool);
  if (reading.error !== undefined) throw reading.error;
  expected(folder, {
    passphrase: SAMPLE_PASSPHRASE,
    kind: metadata.kind,
    counts: metadata.counts,
    digest: readingDigest(reading),
  });
}

/** Two ARCHIVE files of several chunks, some of one length. */
const PLAIN = {
  objects: [object("one", noise("one", 4096)), object("two", noise("two", 3000))],
  records: [record("key", "value")],
};

for (const [name, fault] of Object.entries(FAULTS)) {
  const folder = join(root, "bad", name);
  if (existsSync(folder)) continue;
  const backup = join(folder, "backup");
  const twin = mkdtempSync(join(tmpdir(), "twin-"));
  try {
    const base = fault.incremental ? { base: { id: "ba5e".repeat(8) } } : {};
    const options = { passphrase, chunkBytes: 1024, archiveBytes: 5000, ...base };
    const contents = fault.contents ?? PLAIN;
    const keys = await fixedKeys(name);
    const { metadata } = await writeSample(backup, contents, { ...options, keys });
    await writeSample(twin, contents, options);
    await fault.spoil({ forger: new Forger(backup, keys, metadata), folder: backup, twin });
  } finally {
    rmSync(twin, { recursive: true });
  }
  const given = fault.code === "WRONG_PASSPHRASE" ? "another passphrase" : SAMPLE_PASSPHRASE;
  expected(folder, { passphrase: given, code: fault.code, file: fault.file });
}
/** Makes a missing log, and says what is read of it. */
async function makeLog(
  kind: "good" | "bad",
  name: string,
  make: (log: string) => Promise<object>,
): Promise<void> {
  const folder = join(root, "streams", kind, name);
  if (existsSync(folder)) return;
  const log = join(folder, "log");
  mkdirSync(log, { recursive: true });
  expected(folder, await make(log));
}

for (const [name, feature] of Object.entries(STREAM_FEATURES)) {
  await makeLog("good", name, async (log) => {
    const range = await feature(log, pool);
    const { lines, error } = await readStreams(log, range, passphrase, pool);
    if (error !== undefined) throw error;
    return { passphrase: SAMPLE_PASSPHRASE, ...range, digest: linesDigest(lines) };
  });
}

for (const [name, fault] of Object.entries(STREAM_FAULTS)) {
  await makeLog("bad", name, async (log) => {
    const stream = await FixtureStream.write(log, name, pool);
    const file = faultFile(fault, stream);
    await fault.spoil(stream, log, pool);
    const given = fault.code === "WRONG_PASSPHRASE" ? "another passphrase" : SAMPLE_PASSPHRASE;
    return { passphrase: given, ...FAULT_RANGE, code: fault.code, file };
  });
}
await pool.close();
