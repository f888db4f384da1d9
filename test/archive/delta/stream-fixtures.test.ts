import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { Answer } from "../../independent/answer.js";
import { readLogIn } from "../../independent/read-log.js";
import { samplePassphrase } from "../../support/archive/sample.js";
import { STREAM_FAULTS } from "../../support/archive/stream-faults.js";
import { STREAM_FEATURES } from "../../support/archive/stream-features.js";
import { fileOf, linesDigest, readStreams } from "../../support/archive/stream-fixtures.js";

/** The compiled test is in dist/test/archive/delta. */
const ROOT = fileURLToPath(new URL("../../../../fixtures/streams", import.meta.url));
const pool = new SealPool(1);
test.after.always(() => pool.close());

interface Expected {
  readonly passphrase: string;
  readonly after: number;
  readonly upTo: number;
  /** Of a good one. */
  readonly digest?: string;
  /** Of a bad one. */
  readonly code?: string;
  readonly file?: string | null;
}

function folders(kind: string): string[] {
  return readdirSync(join(ROOT, kind)).sort();
}

function expected(kind: string, name: string): Expected {
  return JSON.parse(readFileSync(join(ROOT, kind, name, "expected.json"), "utf8"));
}

test("there is a frozen log for each feature and for each fault", (t) => {
  t.deepEqual(folders("good"), Object.keys(STREAM_FEATURES).sort());
  t.deepEqual(folders("bad"), Object.keys(STREAM_FAULTS).sort());
});

for (const name of folders("good")) {
  test(`streams/good/${name} is read as when it was made, by two readers`, async (t) => {
    const { passphrase, digest, ...range } = expected("good", name);
    const log = join(ROOT, "good", name, "log");
    const { lines, error } = await readStreams(log, range, samplePassphrase(passphrase), pool);
    t.is(error, undefined);
    t.is<unknown, unknown>(linesDigest(lines), digest);
    t.deepEqual(await readLogIn(log, range, passphrase), lines);
  });
}

for (const name of folders("bad")) {
  const { passphrase, code, file, ...range } = expected("bad", name);
  test(`streams/bad/${name} is rejected as ${code}, by two readers`, async (t) => {
    const log = join(ROOT, "bad", name, "log");
    const { error } = await readStreams(log, range, samplePassphrase(passphrase), pool);
    t.is<unknown, unknown>(error?.code, code);
    t.is<unknown, unknown>(error && fileOf(error), file);
    const answer = await readLogIn(log, range, passphrase).catch((other: unknown) => other);
    t.true(answer instanceof Answer, String(answer));
    if (answer instanceof Answer) t.is<unknown, unknown>(answer.code, code, answer.message);
  });
}
