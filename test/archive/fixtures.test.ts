import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { FolderFiles } from "../../src/archive/backup-files.js";
import { BackupReader } from "../../src/archive/backup-reader.js";
import { SealPool } from "../../src/archive/seal/seal-pool.js";
import { Answer } from "../independent/answer.js";
import { Contents } from "../independent/contents.js";
import { readBackup } from "../independent/read-backup.js";
import { FAULTS } from "../support/archive/faults.js";
import { FEATURES } from "../support/archive/features.js";
import { inspect, inspectError, readAll, readingDigest } from "../support/archive/judge.js";
import { samplePassphrase } from "../support/archive/sample.js";

/** The compiled test is in dist/test/archive. */
const ROOT = fileURLToPath(new URL("../../../fixtures", import.meta.url));

function folders(kind: string): string[] {
  return readdirSync(join(ROOT, kind)).sort();
}

function expected(kind: string, name: string): Expected {
  return JSON.parse(readFileSync(join(ROOT, kind, name, "expected.json"), "utf8"));
}

interface Expected {
  readonly passphrase: string;
  /** Of a good one. */
  readonly kind?: string;
  readonly counts?: Readonly<Record<string, number>>;
  readonly digest?: string;
  /** Of a bad one. */
  readonly code?: string;
  readonly file?: string | null;
}

test("there is a frozen backup for each feature and for each fault", (t) => {
  t.deepEqual(folders("good"), Object.keys(FEATURES).sort());
  t.deepEqual(folders("bad"), Object.keys(FAULTS).sort());
});

for (const name of folders("good")) {
  test(`good/${name} is read as when it was made`, async (t) => {
    const { passphrase, kind, counts, digest } = expected("good", name);
    const folder = join(ROOT, "good", name, "backup");
    const pool = new SealPool(1);
    t.teardown(() => pool.close());
    const keys = samplePassphrase(String(passphrase));
    const { metadata } = await BackupReader.open(new FolderFiles(folder), keys, pool);
    t.is<unknown, unknown>(metadata.kind, kind);
    t.like(metadata.counts, counts ?? {});
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
  test(`bad/${name} is rejected as ${code}`, async (t) => {
    const error = await inspectError(join(ROOT, "bad", name, "backup"), String(passphrase));
    t.is<unknown, unknown>(error?.code, code);
    t.is<unknown, unknown>(error?.file ?? null, file);
    const reason = FAULTS[name]?.reason;
    if (reason !== undefined) t.regex(error?.message ?? "", reason);
  });
}

for (const [kind, name] of ["good", "bad"].flatMap((kind) =>
  folders(kind).map((name) => [kind, name] as const),
)) {
  test(`${kind}/${name}: a reader made from docs/format.md alone gives the same answer`, async (t) => {
    const { passphrase, code, counts } = expected(kind, name);
    const folder = join(ROOT, kind, name, "backup");
    const found = await readBackup(folder, String(passphrase)).catch((error: unknown) => error);
    if (kind === "bad") {
      t.true(found instanceof Answer, String(found));
      // Where two files contradict each other, the one that is named is the one that was read last.
      if (found instanceof Answer) t.is<unknown, unknown>(found.code, code);
      return;
    }
    t.true(found instanceof Contents, String(found));
    if (found instanceof Contents) t.like(counts ?? {}, found.counts);
  });
}
