import { readFileSync } from "node:fs";
import test from "ava";
import fc from "fast-check";
import {
  BackupKeys,
  PassphraseBytes,
  PassphraseKeys,
} from "../../../src/archive/crypto/backup-keys.js";
import { FolderFiles } from "../../../src/archive/backup-files.js";
import { BackupReader } from "../../../src/archive/backup-reader.js";
import { passphraseOf } from "../../../src/archive/crypto/passphrase.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { BackupToolError, UsageError } from "../../../src/errors.js";
import { CHEAP_KDF, writeSample } from "../../support/archive/sample.js";
import { newFolder } from "../../support/folders.js";

const pool = new SealPool(1);
test.after.always(() => pool.close());

const BOM = "\ufeff";
/** Decomposed: e and o with marks of their own. */
const DECOMPOSED = "cafe\u0301 bo\u0308se";
const COMPOSED = "caf\u00e9 b\u00f6se";

function text(given: string): string | undefined {
  const { form } = passphraseOf(Buffer.from(given));
  return form && Buffer.from(form).toString();
}

test("a line end, a byte order mark and the normalization form do not change the passphrase", (t) => {
  for (const given of [DECOMPOSED, COMPOSED]) {
    for (const before of ["", BOM]) {
      for (const end of ["", "\n", "\r\n"]) t.is(text(before + given + end), COMPOSED);
    }
  }
  t.is(text("  spaces  inside\u00a0and around  "), "  spaces  inside\u00a0and around  ");
  // Keys of some keyboards: a Persian word, and a family.
  for (const word of ["می\u200cخواهم", "\u{1f468}\u200d\u{1f469}"]) t.is(text(word), word);
});

test("the rule gives the forms in the vectors of fixtures/", (t) => {
  const path = new URL("../../../../fixtures/passphrases.json", import.meta.url);
  const vectors: { name: string; given: string; form: string | null; former: string[] }[] =
    JSON.parse(readFileSync(path, "utf8"));
  t.true(vectors.length > 20);
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  for (const { name, given, form, former } of vectors) {
    const found = passphraseOf(Buffer.from(given, "hex"));
    t.is(found.form === undefined ? null : hex(found.form), form, name);
    t.deepEqual(found.former.map(hex), former, name);
  }
});

test("characters that cannot be typed the same way are rejected, with the reason", (t) => {
  const cases: [given: string | Uint8Array, reason: RegExp][] = [
    ["", /is empty$/],
    ["\n", /is empty$/],
    [`${BOM}\r\n`, /is empty$/],
    ["one\ntwo", /more than one line$/],
    ["one\n\n", /more than one line$/],
    ["one\r\ntwo\r\n", /more than one line$/],
    ["one\r", /U\+000D/],
    ["tab\there", /U\+0009/],
    ["nul\0", /U\+0000/],
    ["\u001b[A", /U\+001B/],
    ["\u007f", /U\+007F/],
    ["next\u0085line", /U\+0085/],
    ["line\u2028separator", /U\+2028/],
    ["zero\u200bwidth", /U\+200B/],
    ["soft\u00adhyphen", /U\+00AD/],
    ["\u202eoverride", /U\+202E/],
    [`in the middle ${BOM}`, /U\+FEFF/],
    // Bytes that are not UTF-8, as a variable or a terminal decodes them.
    ["replaced \ufffd", /U\+FFFD/],
    ["unassigned \u{e0fff}", /U\+E0FFF/],
    [Buffer.from("caf\u00e9", "latin1"), /is not UTF-8 text$/],
    [Buffer.from([0x61, 0xed, 0xa0, 0x80]), /is not UTF-8 text$/],
    [Buffer.from(`${BOM}word\r\n`, "utf16le"), /is UTF-16 text$/],
  ];
  for (const [given, reason] of cases) {
    const { form, rejection } = passphraseOf(Buffer.from(given));
    t.is(form, undefined);
    t.true(rejection instanceof UsageError);
    t.regex(rejection?.message ?? "", reason);
  }
});

test("the form of a form is the form itself", (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (given) => {
      const form = text(given);
      if (form === undefined) return;
      const again = passphraseOf(Buffer.from(form));
      t.is(Buffer.from(again.form ?? []).toString(), form);
      t.deepEqual(again.former, []);
      for (const same of [`${form}\n`, `${form}\r\n`, BOM + form, form.normalize("NFD")]) {
        t.is(text(same), form);
      }
    }),
  );
});

test("the forms of earlier versions are tried for any bytes", (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom("", "\n", "\r\n", "\nmore"),
      (bytes, end) => {
        const given = Buffer.concat([bytes, Buffer.from(end)]);
        const { form, former } = passphraseOf(given);
        const tried = [...(form === undefined ? [] : [form]), ...former].map((one) =>
          Buffer.from(one).toString("hex"),
        );
        const latin1 = given.toString("latin1");
        const ofFile = Buffer.from(/^[^\n]*?(?=\r?(\n|$))/.exec(latin1)?.[0] ?? "", "latin1");
        for (const before of [given, ofFile]) {
          if (before.length > 0) t.true(tried.includes(before.toString("hex")));
        }
        t.is(new Set(tried).size, tried.length);
      },
    ),
  );
});

/** The error code of reading a backup that was made with exactly `made`, with the passphrase `given`. */
async function opening(made: string | Uint8Array, given: string | Uint8Array): Promise<string> {
  const folder = newFolder();
  await writeSample(folder, {}, { passphrase: new PassphraseBytes(Buffer.from(made)) });
  try {
    await BackupReader.open(new FolderFiles(folder), new PassphraseKeys(Buffer.from(given)), pool);
    return "read";
  } catch (error) {
    return error instanceof BackupToolError ? error.code : String(error);
  }
}

test("a backup of an earlier version opens with the bytes that it was made with", async (t) => {
  const raw = Buffer.from([0xff, 0x00, 0x0a, 0x80]);
  const cases: [made: string | Uint8Array, given: string | Uint8Array][] = [
    // From a variable, which kept its line end; from a file with a byte order mark.
    ["word\n", "word\n"],
    [`${BOM}word`, `${BOM}word\n`],
    [DECOMPOSED, DECOMPOSED],
    [DECOMPOSED, `${DECOMPOSED}\n`],
    // From a file of two lines, and from a variable with two.
    ["word", "word\nmore\n"],
    ["word\nmore", "word\nmore"],
    [raw, raw],
    [raw.subarray(0, 2), raw],
  ];
  for (const [made, given] of cases) t.is(await opening(made, given), "read");
  t.is(await opening("word", "other\n"), "WRONG_PASSPHRASE");
  t.is(await opening(COMPOSED, DECOMPOSED), "read");
});

test("the error of a rejected passphrase has the reason, and no key slot is made of it", async (t) => {
  t.is(await opening("word", "other\nmore"), "USAGE");
  const keys = new PassphraseKeys(Buffer.from("word\nmore"));
  t.throws(() => keys.forNew, { instanceOf: UsageError, message: /more than one line/ });
  t.throws(() => new PassphraseKeys(Buffer.alloc(0)), { instanceOf: UsageError });
});

test("only a backup of an earlier version reports a former form", async (t) => {
  for (const [made, former] of [
    ["word", false],
    ["word\n", true],
  ] as const) {
    const { slot } = await BackupKeys.create(new PassphraseBytes(Buffer.from(made)), CHEAP_KDF);
    const header = {
      type: 3,
      number: 0,
      backupId: Buffer.alloc(16),
      chunkBytes: 1024,
      slotBytes: Buffer.alloc(0),
      passphraseSlots: [slot],
      authenticated: Buffer.alloc(0),
      mac: Buffer.alloc(32),
      length: 0,
    };
    const opened = await BackupKeys.open(new PassphraseKeys(Buffer.from("word\n")), header, "f");
    t.is(opened.byFormerPassphrase, former);
  }
});
