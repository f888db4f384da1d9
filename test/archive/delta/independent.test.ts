import { rmSync } from "node:fs";
import test from "ava";
import fc from "fast-check";
import { changesDigest } from "../../../src/archive/delta/changes-digest.js";
import type { ArchivedRevision } from "../../../src/archive/delta/revision.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { readLogIn } from "../../independent/read-log.js";
import { SAMPLE_PASSPHRASE, samplePassphrase } from "../../support/archive/sample.js";
import { FixtureStream, lineOf, readStreams } from "../../support/archive/stream-fixtures.js";
import { newFolder } from "../../support/folders.js";

const pool = new SealPool(1);
test.after.always(() => pool.close());

const FIRST = 7;
const kv = fc.uint8Array({ minLength: 1, maxLength: 500 }).map((bytes) => Buffer.from(bytes));
const id = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).filter((any) => any !== 0n);
const anyRevision = fc.record({
  step: fc.nat(5000),
  changes: fc.array(fc.record({ deleted: fc.boolean(), kv }), { minLength: 1, maxLength: 5 }),
  leases: fc.array(fc.record({ id, grantedTtl: fc.maxSafeNat() }), { maxLength: 1 }),
});
/** Two streams of some deltas each, and by how many revisions they overlap. */
const anyLog = fc.record({
  revisions: fc.array(anyRevision, { minLength: 30, maxLength: 30 }),
  lengths: fc.tuple(
    fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 3 }),
    fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 3 }),
  ),
  overlap: fc.nat(2),
  chunkBytes: fc.integer({ min: 20, max: 5000 }),
});

test("a reader made from docs/format.md alone reads any log as it was written", async (t) => {
  let label = 0;
  await fc.assert(
    fc.asyncProperty(anyLog, async ({ revisions, lengths, overlap, chunkBytes }) => {
      let seenMs = 1_700_000_000_000;
      const log = revisions.map(({ step, changes, leases }, i): ArchivedRevision => {
        seenMs += step;
        return { revision: FIRST + i, seenMs, changes, leases };
      });
      const at = (number: number): ArchivedRevision => {
        const found = log[number - FIRST];
        if (found === undefined) throw new RangeError(`no revision ${number}`);
        return found;
      };
      const [one, two] = lengths;
      const end = FIRST + sum(one) - 1;
      // The second begins after the first revision: a stream names what was before it.
      const first = Math.max(FIRST + 1, end + 1 - overlap);
      const folder = newFolder();
      const facts = { history: at, chunkBytes };
      const name = () => `independent ${label++}`;
      await FixtureStream.write(folder, name(), pool, { ...facts, first: FIRST, lengths: one });
      const before = changesDigest(at(first - 1).changes);
      const next = { ...facts, first, lengths: two, time: 2000, before };
      await FixtureStream.write(folder, name(), pool, next);
      const upTo = Math.max(end, first + sum(two) - 1);
      const range = { after: FIRST - 1, upTo };
      const expected = log.slice(0, upTo - FIRST + 1).map(lineOf);
      t.deepEqual(await readLogIn(folder, range, SAMPLE_PASSPHRASE), expected);
      const { lines, error } = await readStreams(folder, range, samplePassphrase(), pool);
      t.is(error, undefined);
      t.deepEqual(lines, expected);
      rmSync(folder, { recursive: true });
    }),
    { numRuns: 25 },
  );
});

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
