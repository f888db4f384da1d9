import test from "ava";
import { ArchiveError } from "../../../src/archive/errors.js";
import { splitSealed } from "../../support/archive/forge.js";
import { FULL_CONTENTS } from "../../support/archive/full-sample.js";
import { samplePassphrase } from "../../support/archive/sample.js";
import { TamperedBackup } from "../../support/archive/tamper.js";

const SEALED = ["ARCHIVE00000.bin", "ARCHIVE00001.bin", "INDEX.bin", "METADATA.bin"];
const MANIFEST = "MANIFEST.json";

/** Two small ARCHIVE files, each of several chunks. */
function make(t: Parameters<typeof TamperedBackup.make>[0]): Promise<TamperedBackup> {
  return TamperedBackup.make(t, FULL_CONTENTS, {
    passphrase: samplePassphrase(),
    chunkBytes: 1024,
    archiveBytes: 3500,
  });
}

for (const name of SEALED) {
  test(`${name}: each changed byte is found before its chunk is yielded`, async (t) => {
    const backup = await make(t);
    const bytes = backup.bytesOf(name);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ (1 + (at % 255));
      // The header with the type or number of another file is not authentic either.
      await backup.refuses(t, { [name]: changed }, ["DAMAGED"], `${name} byte ${at}`);
    }
    t.true(bytes.length > 200);
  });

  test(`${name}: truncation at each length is found`, async (t) => {
    const backup = await make(t);
    const bytes = backup.bytesOf(name);
    for (let length = 0; length < bytes.length; length++) {
      const changed = bytes.subarray(0, length);
      const what = `${name} of ${length} bytes`;
      const { lines } = await backup.refuses(t, { [name]: changed }, ["DAMAGED"], what);
      if (lines.length > 0) t.fail(`${what}: handed on before the length was compared`);
    }
    t.true(bytes.length > 200);
  });

  test(`${name}: bytes after its end are found`, async (t) => {
    const backup = await make(t);
    const bytes = backup.bytesOf(name);
    for (const more of [Buffer.alloc(1), Buffer.alloc(4), bytes.subarray(-40), bytes]) {
      const changed = Buffer.concat([bytes, more]);
      await backup.refuses(t, { [name]: changed }, ["DAMAGED"], `${more.length} more`);
    }
    t.pass();
  });
}

test("MANIFEST.json: each changed byte is found before any item is yielded", async (t) => {
  const backup = await make(t);
  const bytes = backup.bytesOf(MANIFEST);
  const idStart = bytes.indexOf('"id": "') + 7;
  const format = bytes.indexOf('"format": ') + 10;
  for (let at = 0; at < bytes.length; at++) {
    for (const bit of [1, 0x80]) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ bit;
      const what = `byte ${at} (${String.fromCharCode(bytes[at] as number)}) with bit ${bit}`;
      const { error, lines } = await backup.readWith({ [MANIFEST]: changed });
      t.deepEqual(lines, [], what);
      // Another version and another id have their own codes.
      const allowed =
        at === format
          ? ["DAMAGED", "UNSUPPORTED_VERSION"]
          : at >= idStart && at < idStart + 32
            ? ["DAMAGED", "DOES_NOT_BELONG"]
            : ["DAMAGED"];
      t.true(error instanceof ArchiveError && allowed.includes(error.code), `${what}: ${error}`);
    }
  }
});

test("MANIFEST.json: truncation at each length is found", async (t) => {
  const backup = await make(t);
  const bytes = backup.bytesOf(MANIFEST);
  for (let length = 0; length < bytes.length; length++) {
    const changed = bytes.subarray(0, length);
    await backup.refuses(t, { [MANIFEST]: changed }, ["DAMAGED"], `${length} bytes`);
  }
  t.true(bytes.length > 200);
});

test("the sample has several chunks in each ARCHIVE file, and something of everything", async (t) => {
  const backup = await make(t);
  for (const name of ["ARCHIVE00000.bin", "ARCHIVE00001.bin"]) {
    t.true(splitSealed(backup.bytesOf(name)).chunks.length > 2, name);
  }
  for (const kind of ["attrs", "omap", "object", "data", "torn", "records", "leases", "index"]) {
    t.true(
      backup.good.lines.some((line) => line.startsWith(`${kind} `)),
      kind,
    );
  }
});
