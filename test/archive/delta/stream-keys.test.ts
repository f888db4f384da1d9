import test from "ava";
import { type BackupFiles, BytesFile } from "../../../src/archive/backup-files.js";
import { openStreamKeys } from "../../../src/archive/delta/stream-keys.js";
import { ArchiveError } from "../../../src/archive/errors.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { idOf, revisions, SampleStream } from "../../support/archive/deltas.js";
import { samplePassphrase } from "../../support/archive/sample.js";

const pool = new SealPool(1);
test.after.always(() => pool.close());

class MemoryFiles implements BackupFiles {
  readonly where = "memory";
  constructor(readonly files: Readonly<Record<string, Buffer>>) {}

  async list(): Promise<string[]> {
    return Object.keys(this.files);
  }

  async open(name: string): Promise<BytesFile> {
    const bytes = this.files[name];
    if (bytes === undefined)
      throw new ArchiveError("MISSING_FILE", "it is not there", { file: name });
    return new BytesFile(bytes);
  }
}

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}

async function twoDeltas(): Promise<{ stream: SampleStream; a: Buffer; b: Buffer }> {
  const stream = await SampleStream.start(pool, 5);
  await stream.seal(revisions(5, 6), revisions(7, 8));
  const [a, b] = stream.sealed.map(({ bytes }) => bytes);
  return { stream, a: a ?? Buffer.of(), b: b ?? Buffer.of() };
}

/** The key slot begins behind 38 bytes and three more; its sealed key is at 55 of it. */
const IN_SEALED_KEY = 38 + 60;
/** The id is at 16. */
const IN_ID = 20;

test("the keys of a stream open by any of its deltas", async (t) => {
  const { stream, a, b } = await twoDeltas();
  const id = idOf(stream.keys);
  for (const files of [
    { a, b },
    { b },
    { a: flipped(a, IN_SEALED_KEY), b },
    { a: Buffer.of(), b },
  ]) {
    const names = ["a", "b"];
    const keys = await openStreamKeys(
      new MemoryFiles(files),
      names,
      id.slice(0, 8),
      samplePassphrase(),
    );
    t.is(idOf(keys), id);
    t.deepEqual(keys.fileKey(4, 1), stream.keys.fileKey(4, 1));
  }
});

test("a wrong passphrase, damage and files of another stream are told apart", async (t) => {
  const { stream, a, b } = await twoDeltas();
  const other = await twoDeltas();
  const id = idOf(stream.keys).slice(0, 8);
  const cases: [string, Record<string, Buffer>, string, string][] = [
    ["another passphrase", { a, b }, "WRONG_PASSPHRASE", "another passphrase"],
    ["no file", {}, "MISSING_FILE", "fixture passphrase"],
    [
      "an id that was changed",
      { a: flipped(a, IN_ID), b: flipped(b, IN_ID) },
      "DAMAGED",
      "fixture passphrase",
    ],
    ["another stream", { a: other.a, b: other.b }, "DOES_NOT_BELONG", "fixture passphrase"],
    [
      "no sealed file",
      { a: Buffer.from("hello"), b: Buffer.from("x") },
      "NOT_A_BACKUP",
      "fixture passphrase",
    ],
  ];
  for (const [what, files, code, passphrase] of cases) {
    const opened = openStreamKeys(
      new MemoryFiles(files),
      ["a", "b"],
      id,
      samplePassphrase(passphrase),
    );
    await t.throwsAsync(opened, { code }, what);
  }
  const none = openStreamKeys(new MemoryFiles({}), [], id, samplePassphrase());
  await t.throwsAsync(none, { code: "MISSING_FILE" });
});
