import test from "ava";
import fc from "fast-check";
import { InterruptedError } from "../../../src/errors.js";
import { RevisionQueue } from "../../../src/server/deltas/revision-queue.js";
import type { EtcdRevision } from "../../../src/sources/etcd/history.js";
import { modelFile } from "../../support/server/model-history.js";

const { signal } = new AbortController();

function revisionOf(revision: number): EtcdRevision {
  const kv = Buffer.alloc(100, revision);
  const leases = revision % 3 === 0 ? [{ id: BigInt(revision), grantedTtl: 60 }] : [];
  return { revision, seenMs: 1_000 + revision, changes: [{ deleted: false, kv }], leases };
}

test("what memory does not take waits in a file, and all comes out once and in order", async (t) => {
  const memoryBytes = 1_000;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: -8, max: 8 }), { maxLength: 40 }),
      async (steps) => {
        const file = modelFile();
        const queue = new RevisionQueue({
          memoryBytes: () => memoryBytes,
          openFile: async () => file,
        });
        const sent: EtcdRevision[] = [];
        const got: EtcdRevision[] = [];
        let batches = 0;
        for (const step of steps) {
          for (let i = 0; i < step; i++) {
            const batch = [1, 2].map((more) => revisionOf(sent.length + more));
            sent.push(...batch);
            await queue.push(batch, signal);
            batches++;
          }
          for (let i = 0; i > step && batches > 0; i--, batches--) {
            got.push(...(await queue.next(signal)));
          }
        }
        queue.end(new Error("over"));
        for (; batches > 0; batches--) got.push(...(await queue.next(signal)));
        t.deepEqual(got, sent);
        await t.throwsAsync(queue.next(signal), { message: "over" });
      },
    ),
  );
});

test("a reader that is slower than the writer gets what is written meanwhile, until it is aborted", async (t) => {
  const queue = new RevisionQueue({ memoryBytes: () => 0, openFile: async () => modelFile() });
  const abort = new AbortController();
  const got: number[] = [];
  const reading = (async () => {
    for (;;) for (const { revision } of await queue.next(abort.signal)) got.push(revision);
  })();
  for (let revision = 1; revision <= 50; revision++)
    await queue.push([revisionOf(revision)], signal);
  while (got.length < 50) await new Promise((resolve) => setImmediate(resolve));
  abort.abort();
  await t.throwsAsync(reading, { instanceOf: InterruptedError });
  t.deepEqual(
    got,
    [...Array(50).keys()].map((i) => i + 1),
  );
});
