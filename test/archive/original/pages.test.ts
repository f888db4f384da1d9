import test from "ava";
import { readObject, readRecords } from "../../../src/archive/original/payloads.js";
import type { ArchivedPair } from "../../../src/archive/records.js";
import { objectPayload, recordsPayload } from "../../support/original/writer.js";

const PAGE_BYTES = 4 << 20;

function pairsOf(sizes: readonly number[]): [string, Uint8Array][] {
  return sizes.map((size, i) => [`key${i}`, Buffer.alloc(size, i)]);
}

const SIZES: Readonly<Record<string, readonly number[]>> = {
  none: [],
  small: Array.from({ length: 3000 }, (_, i) => i % 50),
  large: Array.from({ length: 30 }, () => 1 << 20),
  "larger than a page": [PAGE_BYTES + 1, 0, PAGE_BYTES + 1, PAGE_BYTES + 1, 7],
};

for (const [what, sizes] of Object.entries(SIZES)) {
  test(`pairs of an original archive are read in pages that fit in an entry: ${what}`, (t) => {
    const pairs = pairsOf(sizes);
    const object = { pool: "p", name: "o", content: Buffer.alloc(0), omap: pairs };
    const sources = {
      records: readRecords(recordsPayload(pairs)),
      omap: readObject(objectPayload(object)).omap(),
    };
    for (const [source, pages] of Object.entries(sources)) {
      const found: ArchivedPair[] = [];
      for (const page of pages) {
        const bytes = page.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
        t.true(page.length === 1 || bytes <= PAGE_BYTES, `${source}: a page of ${bytes} bytes`);
        t.true(page.length > 0 && page.length <= 1024, `${source}: a page of ${page.length} pairs`);
        found.push(...page);
      }
      t.is(found.length, pairs.length);
      const same = found.every(([key, value], i) => {
        const [expectedKey, expected] = pairs[i] ?? ["", Buffer.alloc(0)];
        return Buffer.from(key).toString() === expectedKey && Buffer.compare(value, expected) === 0;
      });
      t.true(same, source);
    }
  });
}
