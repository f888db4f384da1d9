import test from "ava";
import fc from "fast-check";
import { quoted } from "../src/quoted.js";

/** What Go's `strconv.Quote` gives, from its own tests and documentation. */
const GO: readonly (readonly [name: string | Uint8Array, text: string])[] = [
  ["", '""'],
  ["plain", '"plain"'],
  ["\x07\b\f\r\n\t\v", String.raw`"\a\b\f\r\n\t\v"`],
  ["\\", String.raw`"\\"`],
  ["a \"quote\" and 'one'", String.raw`"a \"quote\" and 'one'"`],
  [Buffer.from("abc\xffdef", "latin1"), String.raw`"abc\xffdef"`],
  ["\u263a", '"☺"'],
  ["\u{10ffff}", String.raw`"\U0010ffff"`],
  ["\x04", String.raw`"\x04"`],
  ["\x7f", String.raw`"\x7f"`],
  ["\x1b[31m", String.raw`"\x1b[31m"`],
  ["\u00a0\u00ad", String.raw`"\u00a0\u00ad"`],
  ["\u0085", String.raw`"\u0085"`],
  ["\u202e\u200b\u2028\ufeff", String.raw`"\u202e\u200b\u2028\ufeff"`],
  ["!\u00a0!\u2000!\u3000!", String.raw`"!\u00a0!\u2000!\u3000!"`],
  ["日本語", '"日本語"'],
  [Buffer.from([0xed, 0xa0, 0x80]), String.raw`"\xed\xa0\x80"`],
  [Buffer.from([0xc0, 0x80]), String.raw`"\xc0\x80"`],
  [Buffer.from([0xf4, 0x90, 0x80, 0x80]), String.raw`"\xf4\x90\x80\x80"`],
  [Buffer.from([0xe2, 0x98]), String.raw`"\xe2\x98"`],
];

test("a name prints as Go quotes it", (t) => {
  for (const [name, text] of GO) t.is(quoted(name), text);
});

/** The way back, as Go's `strconv.Unquote`. */
function unquoted(text: string): Buffer {
  const short = new Map(Object.entries({ a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 }));
  const parts: Buffer[] = [];
  const tokens = /\\x(..)|\\u(.{4})|\\U(.{8})|\\(.)|([^\\]+)/gsu;
  for (const [, byte, small, large, one, plain] of text.slice(1, -1).matchAll(tokens)) {
    const point = small ?? large;
    if (byte !== undefined) parts.push(Buffer.from(byte, "hex"));
    else if (point !== undefined)
      parts.push(Buffer.from(String.fromCodePoint(parseInt(point, 16))));
    else if (one !== undefined) parts.push(Buffer.from([short.get(one) ?? one.charCodeAt(0)]));
    else parts.push(Buffer.from(plain ?? ""));
  }
  return Buffer.concat(parts);
}

test("any bytes come out without a control character, and can be read back", (t) => {
  const text = fc.string({ unit: "binary" }).map((string) => Buffer.from(string));
  const bytes = fc.uint8Array().map((array) => Buffer.from(array));
  fc.assert(
    fc.property(fc.oneof(text, bytes), (name) => {
      const said = quoted(name);
      t.notRegex(said, /[\p{C}\p{Zl}\p{Zp}]/u);
      t.deepEqual(unquoted(said), name);
    }),
    { numRuns: 2000 },
  );
});
