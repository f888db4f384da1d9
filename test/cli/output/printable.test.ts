import test from "ava";
import fc from "fast-check";
import { BackupToolError } from "../../../src/errors.js";
import { failureLine } from "../../../src/cli/output/failure.js";
import { escapeActingJson, printable } from "../../../src/printable.js";

test("no character that acts on a terminal or hides is printed", (t) => {
  t.is(
    printable("a\u202eb\u200bc\u2028d\u2029e\u2066\ufeff\x1b"),
    "a\\u202eb\\u200bc\\u2028d\\u2029e\\u2066\\ufeff\\x1b",
  );
  t.is(printable("\u{e0041}"), "\\U000e0041");
  t.is(printable("Grüße 日本語 👍"), "Grüße 日本語 👍");
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      (text) => !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(printable(text)),
    ),
  );
});

test("a text of any length from outside is bounded in an error", (t) => {
  const line = failureLine(new Error(`startedAt is ${"x".repeat(32 << 20)}`));
  t.true(line.length < 20_000);
  const hint = "use another";
  const error = new BackupToolError("X", "x".repeat(32 << 20), { hint });
  t.regex(failureLine(error), /more characters\); use another$/);
  t.regex(line, /x… \(\d+ more characters\)$/);
});

test("a line of JSON keeps its value, and no character in it acts on a terminal", (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const line = escapeActingJson(JSON.stringify({ text }));
      return JSON.parse(line).text === text && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(line);
    }),
  );
  t.pass();
});
