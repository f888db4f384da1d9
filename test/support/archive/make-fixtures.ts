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
await pool.close();
