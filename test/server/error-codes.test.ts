import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { codeLabel, ERROR_CODES } from "../../src/server/error-codes.js";

const SOURCES = fileURLToPath(new URL("../../../src", import.meta.url));

/** The codes in calls of a constructor, such as `new BackupToolError("NO_BASE", …)`. Those of ProxyError become codes of stores. */
function codesInSources(): Set<string> {
  const files = readdirSync(SOURCES, { recursive: true, encoding: "utf8" });
  const codes = files
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => [
      ...readFileSync(join(SOURCES, file), "utf8").matchAll(
        /(?:new (?!ProxyError)\w*Error\(|super\()\s*"([A-Z]+(?:_[A-Z]+)*)"/g,
      ),
    ]);
  return new Set(codes.map(([, code = ""]) => code));
}

test("every code of an error in the source is a value of the label", (t) => {
  const codes = codesInSources();
  t.true(codes.size > 20, "the pattern finds the codes");
  const missing = [...codes].filter((code) => !ERROR_CODES.has(code));
  t.deepEqual(missing, [], "add them to src/server/error-codes.ts");
});

test("an unknown code is counted as OTHER", (t) => {
  t.is(codeLabel("STORE_FULL"), "STORE_FULL");
  for (const code of ["", "ECONNRESET", "store_full", 'x"} 1\nfake 1'])
    t.is(codeLabel(code), "OTHER");
});
