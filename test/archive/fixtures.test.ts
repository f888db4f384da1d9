import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { FolderFiles } from "../../src/archive/backup-files.js";
import { BackupReader } from "../../src/archive/backup-reader.js";
import { SealPool } from "../../src/archive/seal-pool.js";
import { FAULTS } from "../support/archive-faults.js";
import { FEATURES } from "../support/archive-features.js";
import { inspect, inspectError, readAll, readingDigest } from "../support/archive-judge.js";
import { samplePassphrase } from "../support/archive-sample.js";

/** The compiled test stands in dist/test/archive. */
const ROOT = fileURLToPath(new URL("../../../fixtures", import.meta.url));

function folders(kind: string): string[] {
  return readdirSync(join(ROOT, kind)).sort();
}

function expected(kind: string, name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(ROOT, kind, name, "expected.json"), "utf8"));
}

test("there is a frozen backup for each feature and for each fault", (t) => {
  t.deepEqual(folders("good"), Object.keys(FEATURES).sort());
  t.deepEqual(folders("bad"), Object.keys(FAULTS).sort());
});

for (const name of folders("good")) {
  test(`good/${name} still reads as it did when it was made`, async (t) => {
    const { passphrase, kind, counts, digest } = expected("good", name);
    const folder = join(ROOT, "good", name, "backup");
    const pool = new SealPool(1);
    t.teardown(() => pool.close());
    const keys = samplePassphrase(String(passphrase));
    const { metadata } = await BackupReader.open(new FolderFiles(folder), keys, pool);
    t.is<unknown, unknown>(metadata.kind, kind);
    t.deepEqual<unknown, unknown>(metadata.counts, counts);
    t.is<unknown, unknown>(readingDigest(await readAll(folder, keys, pool)), digest);
    t.is(await inspect(folder, String(passphrase)), "read");
    const base = join(ROOT, "good", name, "base");
    t.is(existsSync(base), kind === "incremental");
    if (!existsSync(base)) return;
    const { metadata: below } = await BackupReader.open(new FolderFiles(base), keys, pool);
    t.is(metadata.base, below.id);
  });
}

for (const name of folders("bad")) {
  const { passphrase, code, file } = expected("bad", name);
  test(`bad/${name} is refused as ${code}`, async (t) => {
    const error = await inspectError(join(ROOT, "bad", name, "backup"), String(passphrase));
    t.is<unknown, unknown>(error?.code, code);
    t.is<unknown, unknown>(error?.file ?? null, file);
  });
}
