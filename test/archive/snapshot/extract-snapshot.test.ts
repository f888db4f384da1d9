import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { type BackupFiles, FolderFiles } from "../../../src/archive/backup-files.js";
import { BackupReader } from "../../../src/archive/backup-reader.js";
import { SNAPSHOT_PIECE_BYTES } from "../../../src/archive/format.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { extractRawSnapshot } from "../../../src/archive/snapshot/extract-snapshot.js";
import { BackupToolError, InterruptedError } from "../../../src/errors.js";
import { Forger, joinSealed, splitSealed } from "../../support/archive/forge.js";
import { noise } from "../../support/archive/full-sample.js";
import {
  object,
  record,
  type SampleContents,
  type SampleOptions,
  samplePassphrase,
  writeSample,
} from "../../support/archive/sample.js";
import { newFolder } from "../../support/folders.js";

let pool: SealPool;
test.before(() => {
  pool = new SealPool(1);
});
test.after.always(() => pool.close());

const { signal } = new AbortController();
const passphrase = samplePassphrase();

async function sample(contents: SampleContents, options: SampleOptions = {}) {
  const folder = newFolder();
  const { metadata, keys } = await writeSample(folder, contents, { passphrase, ...options });
  return { folder, forger: new Forger(folder, keys, metadata) };
}

function open(files: BackupFiles): Promise<BackupReader> {
  return BackupReader.open(files, passphrase, pool);
}

async function extract(backup: BackupReader): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  await extractRawSnapshot(
    backup,
    async (bytes) => {
      parts.push(bytes);
    },
    signal,
  );
  return Buffer.concat(parts);
}

/** Counts the bytes that are read of each file, once `counts` is empty. */
class CountedFiles implements BackupFiles {
  readonly counts = new Map<string, number>();
  readonly #files: FolderFiles;
  readonly where: string;

  constructor(folder: string) {
    this.#files = new FolderFiles(folder);
    this.where = folder;
  }

  list(): Promise<string[]> {
    return this.#files.list();
  }

  async open(name: string) {
    const file = await this.#files.open(name);
    return {
      size: file.size,
      close: () => file.close(),
      read: async (target: Uint8Array, position: number) => {
        const read = await file.read(target, position);
        this.counts.set(name, (this.counts.get(name) ?? 0) + read);
        return read;
      },
    };
  }
}

test("a raw snapshot of several pieces comes out as it went in", async (t) => {
  const bytes = Buffer.concat([Buffer.alloc(2 * SNAPSHOT_PIECE_BYTES, "a page"), noise("end", 99)]);
  const { folder } = await sample({ snapshot: { mode: "raw", bytes } });
  const backup = await open(new FolderFiles(folder));
  t.is(backup.archives.length, 1);
  t.true((await extract(backup)).equals(bytes));
  const { snapshot } = backup.metadata.etcd ?? {};
  t.is(snapshot?.bytes, bytes.length);
  t.is(snapshot?.sha256, createHash("sha256").update(bytes).digest("hex"));
});

test("pieces go on in the next ARCHIVE files where they do not fit", async (t) => {
  const bytes = Buffer.concat([Buffer.alloc(SNAPSHOT_PIECE_BYTES, "x"), noise("end", 9)]);
  const { folder } = await sample(
    { snapshot: { mode: "raw", bytes }, objects: [object("o", "data")] },
    { archiveBytes: 2000 },
  );
  const backup = await open(new FolderFiles(folder));
  t.is(backup.archives.length, 3);
  t.is(backup.metadata.etcd?.snapshot?.file, 1);
  t.true((await extract(backup)).equals(bytes));
});

test("the objects and records beside a raw snapshot are not read", async (t) => {
  const bytes = noise("raw", 100_000);
  const objects = Array.from({ length: 8 }, (_, i) => object(`${i}`, noise(`${i}`, 200_000)));
  const records = Array.from({ length: 40 }, (_, i) =>
    record(`k${i}`.padStart(4), noise(`r${i}`, 400_000).toString("latin1")),
  );
  const { folder } = await sample(
    { objects, records, snapshot: { mode: "both", bytes } },
    { chunkBytes: 64 << 10, archiveBytes: 1 << 30 },
  );
  const files = new CountedFiles(folder);
  const backup = await open(files);
  t.deepEqual(
    backup.archives.map(({ name }) => name),
    ["ARCHIVE00000.bin", "ARCHIVE00001.bin"],
  );
  files.counts.clear();
  t.true((await extract(backup)).equals(bytes));
  t.deepEqual([...files.counts.keys()], ["ARCHIVE00001.bin"]);
  // It reads ahead, but by a bounded number of bytes.
  const size = readFileSync(join(folder, "ARCHIVE00001.bin")).length;
  t.true(size > 16 << 20);
  t.true((files.counts.get("ARCHIVE00001.bin") ?? 0) <= 5 << 20);
});

test("attempts before the raw snapshot are left out", async (t) => {
  const { folder } = await sample({
    snapshot: {
      mode: "raw",
      bytes: noise("raw", 5000),
      attempts: [noise("first", 700), noise("second", 9000)],
    },
  });
  const backup = await open(new FolderFiles(folder));
  t.is(backup.metadata.etcd?.snapshot?.firstPiece, 2);
  t.true((await extract(backup)).equals(noise("raw", 5000)));
});

test("a backup without a raw snapshot says so", async (t) => {
  for (const contents of [{ records: [record("k", "v")] }, { etcd: false }]) {
    const { folder } = await sample(contents);
    const backup = await open(new FolderFiles(folder));
    const error = await t.throwsAsync(extract(backup), { instanceOf: BackupToolError });
    t.is(error?.code, "NO_RAW_SNAPSHOT");
  }
});

test("a raw snapshot whose bytes are not those of its SHA-256 is damaged", async (t) => {
  const { folder, forger } = await sample({ snapshot: { mode: "raw", bytes: noise("raw", 900) } });
  const { metadata } = forger;
  const { etcd } = metadata;
  const { snapshot } = etcd ?? {};
  if (!etcd || !snapshot) throw new Error("no raw snapshot");
  await forger.setMetadata({
    ...metadata,
    etcd: { ...etcd, snapshot: { ...snapshot, sha256: "7".repeat(64) } },
  });
  const error = await t.throwsAsync(extract(await open(new FolderFiles(folder))), {
    instanceOf: BackupToolError,
  });
  t.is(error?.code, "DAMAGED");
  t.regex(error?.message ?? "", /SHA-256/);
});

test("no byte of a damaged chunk reaches the sink", async (t) => {
  const bytes = Buffer.concat([Buffer.alloc(SNAPSHOT_PIECE_BYTES, "one"), noise("two", 3 << 20)]);
  const { folder, forger } = await sample({ snapshot: { mode: "raw", bytes } });
  const name = "ARCHIVE00000.bin";
  const { header, chunks } = splitSealed(readFileSync(join(folder, name)));
  const last = Buffer.from(chunks.at(-1) ?? Buffer.alloc(0));
  last[100] = (last[100] as number) ^ 1;
  await forger.replace(name, joinSealed({ header, chunks: [...chunks.slice(0, -1), last] }));
  const backup = await open(new FolderFiles(folder));
  let taken = 0;
  const error = await t.throwsAsync(
    extractRawSnapshot(
      backup,
      async (part) => {
        taken += part.length;
      },
      signal,
    ),
    { instanceOf: BackupToolError },
  );
  t.is(error?.code, "DAMAGED");
  t.is(taken, SNAPSHOT_PIECE_BYTES);
});

test("an aborted extraction ends, and so does one whose sink fails", async (t) => {
  const { folder } = await sample({ snapshot: { mode: "raw", bytes: noise("raw", 900) } });
  const backup = await open(new FolderFiles(folder));
  await t.throwsAsync(
    extractRawSnapshot(backup, async () => {}, AbortSignal.abort()),
    {
      instanceOf: InterruptedError,
    },
  );
  const full = async () => {
    throw new Error("no space");
  };
  await t.throwsAsync(extractRawSnapshot(backup, full, signal), { message: "no space" });
});
