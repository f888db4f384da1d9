import test from "ava";
import fc from "fast-check";
import { InterruptedError } from "../../../src/errors.js";
import type { QueueFile } from "../../../src/server/deltas/batch-file.js";
import { RevisionQueue } from "../../../src/server/deltas/revision-queue.js";
import type { EtcdRevision } from "../../../src/sources/etcd/history.js";
import { modelFile } from "../../support/server/model-history.js";

const { signal } = new AbortController();

function revisionOf(revision: number): EtcdRevision {
  const kv = Buffer.alloc(100, revision);
  const leases = revision % 3 === 0 ? [{ id: BigInt(revision), grantedTtl: 60 }] : [];
  return { revision, seenMs: 1_000 + revision, changes: [{ deleted: false, kv }], leases };
}

/** Files larger than this get nothing more. */
const FILE_BYTES = 1_500;
/** Of two revisions in a file, at most. */
const BATCH_BYTES = 300;

/** @param files those that are open */
function queueOf(memoryBytes: number, files: Set<QueueFile>): RevisionQueue {
  return new RevisionQueue({
    memoryBytes: () => memoryBytes,
    fileBytes: FILE_BYTES,
    openFile: async () => {
      const file = modelFile((closed) => files.delete(closed));
      files.add(file);
      return file;
    },
  });
}

test("what memory does not take waits in a file, and all comes out once and in order", async (t) => {
  const memoryBytes = 1_000;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: -8, max: 8 }), { maxLength: 40 }),
      async (steps) => {
        const files = new Set<QueueFile>();
        const queue = queueOf(memoryBytes, files);
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
          const inFiles = [...files].reduce((sum, { size }) => sum + size, 0);
          t.true(inFiles <= batches * BATCH_BYTES + FILE_BYTES, "what was read needs no room");
          if (batches === 0) t.is(files.size, 0);
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

test("a writer whose reader has caught up waits for it, and what waits in files grows no more before", async (t) => {
  const files = new Set<QueueFile>();
  const queue = queueOf(1_000, files);
  let pushed = 0;
  let taken = 0;
  const push = async (): Promise<void> => {
    await queue.push([revisionOf(pushed + 1)], signal);
    pushed++;
  };
  const take = async (): Promise<void> => {
    const batch = await queue.next(signal);
    t.deepEqual(batch, [revisionOf(++taken)]);
  };
  for (let i = 0; i < 40; i++) await push();
  queue.catchUp();
  const waited = pushed;
  const writing = (async () => {
    while (pushed < 200) await push();
  })();
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  await settle();
  t.is(pushed, waited);
  while (taken < waited + 20) {
    await take();
    await settle();
    t.true(pushed - taken <= waited);
  }
  t.true(pushed > waited, "it goes on as the reader does");
  // Now the reader is faster.
  while (files.size > 0) await take();
  await settle();
  t.is(files.size, 0);
  t.true(pushed - taken <= 10, `${pushed - taken} wait in memory`);
  while (taken < 200) await take();
  await writing;
  t.is(files.size, 0);
});
