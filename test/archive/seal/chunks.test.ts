import { readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { FolderFiles } from "../../../src/archive/backup-files.js";
import { readChunks } from "../../../src/archive/seal/chunk-reader.js";
import { ArchiveError } from "../../../src/archive/errors.js";
import { FileThread } from "../../../src/threads/file-thread.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { SealedFileWriter } from "../../../src/archive/seal/sealed-file-writer.js";
import { noise } from "../../support/archive/full-sample.js";
import { newFolder } from "../../support/folders.js";

const KEY = Buffer.alloc(32, 7);
const HEADER = Buffer.from("header");

interface Written {
  readonly path: string;
  readonly size: number;
}

/** Writes parts, those in shared memory without a copy, and returns what is read. */
async function write(
  { pool, thread }: { pool: SealPool; thread: FileThread },
  parts: readonly { bytes: Uint8Array; shared: boolean }[],
  chunkBytes: number,
): Promise<Written & { releases: number; plainBytes: number }> {
  const path = join(newFolder(), "sealed");
  const writer = new SealedFileWriter({
    file: await thread.open(path),
    pool,
    header: HEADER,
    key: KEY,
    chunkBytes,
    level: 1,
  });
  let releases = 0;
  for (const { bytes, shared } of parts) {
    if (shared) {
      const memory = new SharedArrayBuffer(bytes.length + 3);
      new Uint8Array(memory).set(bytes, 3);
      writer.appendShared({ memory, offset: 3, length: bytes.length }, () => {
        releases++;
        // Released memory may be overwritten.
        new Uint8Array(memory).fill(0xdd);
      });
    } else {
      writer.append(bytes);
    }
    await writer.ready();
  }
  const { size, plainBytes } = await writer.finish();
  return { path, size, releases, plainBytes };
}

async function read(
  pool: SealPool,
  { path, size }: Written,
  chunkBytes: number,
  seen: Buffer[] = [],
): Promise<Buffer> {
  const file = await new FolderFiles(dirname(path)).open(basename(path));
  try {
    const source = {
      name: "f",
      file,
      size,
      headerBytes: HEADER.length,
      key: KEY,
      chunkBytes,
      pool,
    };
    for await (const chunk of readChunks(source)) {
      seen.push(Buffer.from(chunk.bytes));
      chunk.release();
    }
  } finally {
    await file.close();
  }
  return Buffer.concat(seen);
}

function threads(t: ExecutionContext): { pool: SealPool; thread: FileThread } {
  const pool = new SealPool(2);
  const thread = new FileThread();
  t.teardown(async () => {
    await pool.close();
    await thread.close();
  });
  return { pool, thread };
}

test("appended bytes are read as they were written, whatever the parts and chunks are", async (t) => {
  const both = threads(t);
  const part = fc.record({
    bytes: fc.oneof(
      fc.uint8Array({ maxLength: 500 }),
      fc.integer({ min: 16_000, max: 40_000 }).map((length) => noise(`${length}`, length)),
    ),
    shared: fc.boolean(),
  });
  const chunkBytes = fc.constantFrom(64, 500, 4096, 1 << 16);
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 6 }), chunkBytes, async (parts, chunk) => {
      const expected = Buffer.concat(parts.map(({ bytes }) => bytes));
      const written = await write(both, parts, chunk);
      t.is(written.releases, parts.filter(({ shared }) => shared).length);
      t.is(written.plainBytes, expected.length);
      t.is(written.size, readFileSync(written.path).length);
      t.deepEqual(await read(both.pool, written, chunk), expected);
    }),
    { numRuns: 40 },
  );
});

test("a file that is an exact number of chunks, or empty, is read to its end", async (t) => {
  const both = threads(t);
  for (const length of [0, 1, 99, 100, 101, 200, 1000]) {
    const bytes = noise("exact", length);
    const written = await write(both, [{ bytes, shared: false }], 100);
    t.deepEqual(await read(both.pool, written, 100), Buffer.from(bytes));
  }
});

test("a file cut off at any byte is truncated, and only whole chunks before it are read", async (t) => {
  const both = threads(t);
  const plain = noise("cut", 450);
  const written = await write(both, [{ bytes: plain, shared: false }], 100);
  for (let size = HEADER.length; size < written.size; size++) {
    const seen: Buffer[] = [];
    const error = await t.throwsAsync(read(both.pool, { ...written, size }, 100, seen), {
      instanceOf: ArchiveError,
    });
    t.is(error?.code, "DAMAGED");
    t.regex(error?.message ?? "", /truncated/);
    t.deepEqual(Buffer.concat(seen), plain.subarray(0, 100 * seen.length));
  }
});

test("bytes after the last chunk have their own error", async (t) => {
  const both = threads(t);
  const written = await write(both, [{ bytes: noise("more", 50), shared: false }], 100);
  const bytes = readFileSync(written.path);
  writeFileSync(written.path, Buffer.concat([bytes, bytes.subarray(HEADER.length)]));
  const error = await t.throwsAsync(
    read(both.pool, { path: written.path, size: 2 * bytes.length - HEADER.length }, 100),
    { instanceOf: ArchiveError },
  );
  t.regex(error?.message ?? "", /chunk 0: bytes follow its last chunk/);
});

test("a damaged length does not hide the damaged chunk before it", async (t) => {
  const both = threads(t);
  const written = await write(both, [{ bytes: noise("two", 250), shared: false }], 100);
  const bytes = readFileSync(written.path);
  const first = bytes.readUInt32LE(HEADER.length);
  bytes.writeUInt32LE(first - 1, HEADER.length);
  writeFileSync(written.path, bytes);
  const error = await t.throwsAsync(read(both.pool, written, 100), { instanceOf: ArchiveError });
  t.is(error?.chunk, 0);
});

test("a chunk in the middle that is shorter than a full one is rejected", async (t) => {
  const both = threads(t);
  const written = await write(both, [{ bytes: noise("short", 250), shared: false }], 100);
  const seen: Buffer[] = [];
  // To a reader with a larger chunk size, the chunks in the middle are short.
  const error = await t.throwsAsync(read(both.pool, written, 128, seen), {
    instanceOf: ArchiveError,
  });
  t.regex(error?.message ?? "", /chunk 0: a chunk in the middle is short/);
  t.deepEqual(seen, []);
});

test("a closed pool is not reported as a damaged file", async (t) => {
  const both = threads(t);
  const written = await write(both, [{ bytes: noise("closed", 250), shared: false }], 100);
  const closed = new SealPool(1);
  await closed.close();
  const error = await t.throwsAsync(read(closed, written, 100));
  t.false(error instanceof ArchiveError, error?.message);
  t.regex(error?.message ?? "", /closed/);
});
