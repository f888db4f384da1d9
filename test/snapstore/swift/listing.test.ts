import test from "ava";
import type { SwiftContainer } from "../../../src/snapstore/swift/container.js";
import { pageOf } from "../../../src/snapstore/swift/listing.js";

const NAMES = Array.from({ length: 25 }, (_, i) => `object-${String(i).padStart(2, "0")}`);

/** A server whose pages are shorter than they may be, as those of radosgw were on a busy machine. */
function shortPages(most: number): SwiftContainer {
  const call = async ({ query = {} }: { query?: Readonly<Record<string, string>> }) => {
    const { marker = "", limit } = query;
    const names = NAMES.filter((name) => name > marker).slice(0, Math.min(most, Number(limit)));
    return { json: async () => names.map((name) => ({ name, bytes: 1, hash: name })) };
  };
  return { call } as unknown as SwiftContainer;
}

for (const most of [1, 3, 10]) {
  test(`pages of ${most} names at most are no end of a listing`, async (t) => {
    const container = shortPages(most);
    const found: string[] = [];
    for (let marker: string | undefined = ""; marker !== undefined; ) {
      const page = await pageOf(container, "", { marker, limit: 10, signal: undefined });
      t.true(page.entries.length === 10 || page.next === undefined);
      found.push(...page.entries.map(({ name }) => name));
      marker = page.next;
    }
    t.deepEqual(found, NAMES);
  });
}
