import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { ArchiveErrorCode } from "../../../src/archive/errors.js";
import { FULL_CONTENTS, noise } from "../../support/archive/full-sample.js";
import { inspect } from "../../support/archive/judge.js";
import {
  object,
  SAMPLE_PASSPHRASE,
  type SampleContents,
  samplePassphrase,
  writeSample,
} from "../../support/archive/sample.js";
import { TamperedBackup } from "../../support/archive/tamper.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";

const SEALED = ["ARCHIVE00000.bin", "ARCHIVE00001.bin", "INDEX.bin", "METADATA.bin"];

function make(
  t: ExecutionContext,
  passphrase = samplePassphrase(),
  contents: SampleContents = FULL_CONTENTS,
): Promise<TamperedBackup> {
  return TamperedBackup.make(t, contents, { passphrase, chunkBytes: 1024, archiveBytes: 3500 });
}

/** Has the same file sizes as its twin: only the keys differ. */
const TWIN: SampleContents = {
  objects: [object("one", noise("one", 2000)), object("two", noise("two", 2000))],
};

test("an unchanged backup is read by inspect", async (t) => {
  const { folder } = await make(t);
  t.is(await inspect(folder, SAMPLE_PASSPHRASE), "read");
});

test("another passphrase is WRONG_PASSPHRASE", async (t) => {
  const { folder } = await make(t);
  t.is(await inspect(folder, `${SAMPLE_PASSPHRASE} `), "WRONG_PASSPHRASE");
  // The rule rejects an empty passphrase, so it is not tried.
  await t.throwsAsync(inspect(folder, ""), { code: "USAGE" });
});

test("each missing file is MISSING_FILE", async (t) => {
  for (const name of SEALED) {
    const { folder } = await make(t);
    rmSync(join(folder, name));
    t.is(await inspect(folder, SAMPLE_PASSPHRASE), "MISSING_FILE", name);
  }
});

test("a folder, a pipe or nothing in the place of a file is an error, without waiting", async (t) => {
  for (const name of [...SEALED, "MANIFEST.json"]) {
    const { folder } = await make(t);
    rmSync(join(folder, name));
    mkdirSync(join(folder, name));
    t.is(await inspect(folder, SAMPLE_PASSPHRASE), "DAMAGED", `${name} a folder`);
    rmSync(join(folder, name), { recursive: true });
    await runProcess("mkfifo", [join(folder, name)]);
    t.is(await inspect(folder, SAMPLE_PASSPHRASE), "DAMAGED", `${name} a pipe`);
    rmSync(join(folder, name));
    writeFileSync(join(folder, name), "");
    t.is(await inspect(folder, SAMPLE_PASSPHRASE), "DAMAGED", `${name} empty`);
  }
});

test("a folder without MANIFEST.json is an unfinished backup, or none", async (t) => {
  const { folder } = await make(t);
  rmSync(join(folder, "MANIFEST.json"));
  t.is(await inspect(folder, SAMPLE_PASSPHRASE), "UNFINISHED_BACKUP");
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  t.is(await inspect(folder, SAMPLE_PASSPHRASE), "NOT_A_BACKUP");
  writeFileSync(join(folder, "notes.txt"), "something else");
  t.is(await inspect(folder, SAMPLE_PASSPHRASE), "NOT_A_BACKUP");
  t.is(await inspect(join(folder, "gone"), SAMPLE_PASSPHRASE), "NOT_A_BACKUP");
  t.is(await inspect(join(folder, "notes.txt"), SAMPLE_PASSPHRASE), "NOT_A_BACKUP", "a file");
});

test("each sealed file under the name of another is found", async (t) => {
  const backup = await make(t);
  for (const name of SEALED) {
    for (const other of SEALED) {
      if (name === other) continue;
      const changed = { [name]: backup.bytesOf(other) };
      const what = `${other} as ${name}`;
      await backup.refuses(t, changed, ["DAMAGED", "DOES_NOT_BELONG"], what);
      await backup.refuses(
        t,
        { ...changed, [other]: backup.bytesOf(name) },
        ["DAMAGED", "DOES_NOT_BELONG"],
        `${what} and the other way`,
      );
    }
  }
  t.pass();
});

test("two swapped ARCHIVE files of one length are DOES_NOT_BELONG", async (t) => {
  const backup = await make(t, samplePassphrase(), TWIN);
  const [first, second] = ["ARCHIVE00000.bin", "ARCHIVE00001.bin"];
  t.is(backup.bytesOf(first).length, backup.bytesOf(second).length, "lengths give nothing away");
  const changed = { [first]: backup.bytesOf(second), [second]: backup.bytesOf(first) };
  const { lines } = await backup.refuses(t, changed, ["DOES_NOT_BELONG"], "swapped");
  t.deepEqual(lines, []);
});

test("each file of another backup with the same passphrase is found, also of the same length", async (t) => {
  const passphrase = samplePassphrase();
  const backup = await make(t, passphrase, TWIN);
  const twin = await make(t, passphrase, TWIN);
  const expected: Record<string, ArchiveErrorCode[]> = {
    "MANIFEST.json": ["DOES_NOT_BELONG", "DAMAGED"],
    "METADATA.bin": ["DOES_NOT_BELONG", "DAMAGED"],
  };
  for (const name of [...SEALED, "MANIFEST.json"]) {
    const other = twin.bytesOf(name);
    if (name !== "METADATA.bin") t.is(other.length, backup.bytesOf(name).length, name);
    await backup.refuses(t, { [name]: other }, expected[name] ?? ["DOES_NOT_BELONG"], name);
  }
  const both = {
    "MANIFEST.json": twin.bytesOf("MANIFEST.json"),
    "METADATA.bin": twin.bytesOf("METADATA.bin"),
  };
  await backup.refuses(t, both, ["DOES_NOT_BELONG"], "its facts and manifest");
  for (const name of SEALED.slice(0, 3)) {
    const rest = { ...both, [name]: twin.bytesOf(name) };
    await backup.refuses(t, rest, ["DOES_NOT_BELONG"], `its facts, manifest and ${name}`);
  }
});

test("a file of a backup of an incremental's base, which shares its salt, is found", async (t) => {
  const passphrase = samplePassphrase();
  const baseFolder = newFolder();
  const base = await writeSample(baseFolder, TWIN, {
    passphrase,
    chunkBytes: 1024,
    archiveBytes: 3500,
  });
  const backup = await TamperedBackup.make(t, TWIN, {
    passphrase,
    chunkBytes: 1024,
    archiveBytes: 3500,
    base: { id: base.metadata.id, keys: base.keys },
  });
  for (const name of ["ARCHIVE00000.bin", "ARCHIVE00001.bin"]) {
    const other = readFileSync(join(baseFolder, name));
    t.is(other.length, backup.bytesOf(name).length);
    await backup.refuses(t, { [name]: other }, ["DOES_NOT_BELONG"], name);
  }
});
