import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import { FolderFiles } from "../../src/archive/backup-files.js";
import { BackupKeys, PassphraseBytes } from "../../src/archive/crypto/backup-keys.js";
import { BackupReader } from "../../src/archive/backup-reader.js";
import { BackupWriter } from "../../src/archive/backup-writer.js";
import { FolderTarget, prepareFolder } from "../../src/archive/folder-target.js";
import { MAX_ENTRY_BYTES } from "../../src/archive/format.js";
import type { ArchivedPair } from "../../src/archive/records.js";
import { SealPool } from "../../src/archive/seal/seal-pool.js";
import { BackupToolError, UsageError } from "../../src/errors.js";
import { FULL_CONTENTS, noise } from "../support/archive/full-sample.js";
import { inspect, readAll, readingDigest } from "../support/archive/judge.js";
import { readMeasured } from "../support/archive/measured.js";
import {
  CHEAP_KDF,
  object,
  record,
  SAMPLE_PASSPHRASE,
  type SampleObject,
  samplePassphrase,
  writeSample,
} from "../support/archive/sample.js";
import { newFolder } from "../support/folders.js";

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((b) => Buffer.from(b));
const pairs = fc.array(fc.tuple(bytes(10), bytes(30)), { maxLength: 4 });
const sampleObject: fc.Arbitrary<SampleObject> = fc
  .record({
    pool: fc.constantFrom("one", "two/../%"),
    namespace: bytes(4),
    locator: bytes(4),
    name: bytes(200),
    data: fc.oneof(
      bytes(900),
      fc.nat(60_000).map((length) => noise("data", length)),
    ),
    mtime: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 63n - 1n }),
    version: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    xattrs: pairs,
    omapHeader: bytes(10),
    omap: pairs,
    torn: fc.nat(2),
    pages: fc.array(pairs, { maxLength: 2 }),
  })
  .map(({ pages, ...rest }) => {
    const has = rest.xattrs.length + rest.omapHeader.length + rest.omap.length > 0;
    return { ...rest, omapPages: has ? pages : [] };
  });
const sampleRecord = fc
  .tuple(fc.string({ minLength: 1 }), fc.string(), fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }))
  .map(([key, value, lease]) => record(key, value, lease));

function hex(value: Uint8Array): string {
  return Buffer.from(value).toString("hex");
}

test("objects are read as they were written, over many files and chunks", async (t) => {
  const pool = new SealPool(2);
  t.teardown(() => pool.close());
  const passphrase = samplePassphrase();
  const contents = fc.record({
    objects: fc.array(sampleObject, { maxLength: 6 }),
    records: fc
      .uniqueArray(sampleRecord, { maxLength: 6, selector: ({ key }) => hex(key) })
      .map((all) => all.toSorted((a, b) => Buffer.compare(a.key, b.key))),
  });
  await fc.assert(
    fc.asyncProperty(
      contents,
      fc.constantFrom(200, 4096, 1 << 20),
      fc.constantFrom(1000, 1 << 30),
      async ({ objects, records }, chunkBytes, archiveBytes) => {
        const folder = newFolder();
        await writeSample(folder, { objects, records }, { passphrase, chunkBytes, archiveBytes });
        const { lines, error } = await readAll(folder, passphrase, pool);
        t.is(error, undefined);
        const starts = lines.filter((line) => line.startsWith("object "));
        const expected = objects.flatMap((o) => Array.from({ length: 1 + (o.torn ?? 0) }, () => o));
        t.is(starts.length, expected.length);
        for (const [i, o] of expected.entries()) {
          const name = JSON.stringify([o.pool, hex(o.namespace), hex(o.locator), hex(o.name)]);
          t.true(starts[i]?.startsWith(`object ${name} ${o.data.length} ${o.mtime} `), starts[i]);
        }
        const data = lines.filter((line) => line.startsWith("data ")).map((line) => line.slice(5));
        t.is(data.join(""), expected.map(({ data: held }) => hex(held)).join(""));
        t.is(
          lines.filter((line) => line.startsWith("omap ")).length,
          expected.reduce((sum, o) => sum + (o.omapPages?.length ?? 0), 0),
        );
        for (const { key, value } of records) {
          t.true(
            lines.some((line) => line.includes(`"key":"${hex(key)}","value":"${hex(value)}"`)),
          );
        }
      },
    ),
    { numRuns: 25 },
  );
});

test("inspect finds that index, counts and contents agree, in a full and an incremental backup", async (t) => {
  const passphrase = samplePassphrase();
  const base = await writeSample(newFolder(), FULL_CONTENTS, { passphrase });
  const folder = newFolder();
  await writeSample(
    folder,
    {
      objects: [object("new", noise("new", 5000))],
      unchanged: { objects: [object("old", "old")], at: { backup: 1, file: 0, offset: 512 } },
      cutOff: [record("a", "before the compaction")],
      records: [record("a", "after it")],
      tombstones: [
        { kind: "key", key: Buffer.from("gone") },
        { kind: "object", ...object("gone", "") },
      ],
    },
    { passphrase, base: { id: base.metadata.id, keys: base.keys } },
  );
  t.is(await inspect(folder, SAMPLE_PASSPHRASE), "read");
});

test("ARCHIVE files stay near the requested size, and no entry spans two", async (t) => {
  const folder = newFolder();
  const objects = Array.from({ length: 40 }, (_, i) => object(`${i}`, noise(`${i}`, 3000)));
  await writeSample(folder, { objects }, { chunkBytes: 1024, archiveBytes: 10_000 });
  const archives = readdirSync(folder).filter((name) => name.startsWith("ARCHIVE"));
  t.true(archives.length >= 12);
  for (const name of archives) t.true(statSync(join(folder, name)).size < 15_000, name);
  t.is(await inspect(folder, SAMPLE_PASSPHRASE), "read");
});

test("a chain shares one key derivation, also with a binary passphrase of an earlier version", async (t) => {
  const passphrase = new PassphraseBytes(randomBytes(64));
  const base = await writeSample(newFolder(), {}, { passphrase });
  const options = { passphrase, base: { id: base.metadata.id, keys: base.keys } };
  const { keys } = await writeSample(newFolder(), {}, options);
  t.deepEqual(Buffer.from(keys.slot.salt), Buffer.from(base.keys.slot.salt));
  t.notDeepEqual(Buffer.from(keys.slot.nonce), Buffer.from(base.keys.slot.nonce));
});

test("no file shows names, values or facts", async (t) => {
  const folder = newFolder();
  const secret = "seen-in-the-clear";
  await writeSample(folder, {
    objects: [object(secret, secret.repeat(50), { pool: secret, namespace: Buffer.from(secret) })],
    records: [record(secret, secret)],
  });
  for (const name of readdirSync(folder)) {
    t.false(readFileSync(join(folder, name)).includes(secret), name);
  }
});

test("files are for their owner only, and no temporary file is left", async (t) => {
  const folder = newFolder();
  await writeSample(folder, FULL_CONTENTS);
  const names = readdirSync(folder).sort();
  t.deepEqual(names, ["ARCHIVE00000.bin", "INDEX.bin", "MANIFEST.json", "METADATA.bin"]);
  for (const name of names) t.is(statSync(join(folder, name)).mode & 0o777, 0o600, name);
});

test("an unfinished backup is UNFINISHED_BACKUP, and its folder is not written again", async (t) => {
  const folder = newFolder();
  const keys = await BackupKeys.create(samplePassphrase().forNew, CHEAP_KDF);
  const sealPool = new SealPool(1);
  t.teardown(() => sealPool.close());
  const writer = new BackupWriter({
    target: new FolderTarget(folder),
    keys,
    sealPool,
    compressionLevel: 1,
    archiveBytes: 1 << 20,
  });
  await writer.start([]);
  await writer.close();
  t.is(await inspect(folder, SAMPLE_PASSPHRASE), "UNFINISHED_BACKUP");
  await t.throwsAsync(prepareFolder(folder, "outputdir"), { instanceOf: UsageError });
});

test("an entry that readers reject is not written", async (t) => {
  const folder = newFolder();
  const keys = await BackupKeys.create(samplePassphrase().forNew, CHEAP_KDF);
  const sealPool = new SealPool(1);
  t.teardown(() => sealPool.close());
  const writer = new BackupWriter({
    target: new FolderTarget(folder),
    keys,
    sealPool,
    compressionLevel: 1,
    archiveBytes: 1 << 30,
  });
  t.teardown(() => writer.close());
  await writer.start([]);
  const value = Buffer.alloc(MAX_ENTRY_BYTES);
  const name = object("large", "");
  const omap: ArchivedPair[] = [[Buffer.from("k"), value]];
  const attributes = { xattrs: [], omapHeader: Buffer.alloc(0), omap };
  const error = t.throws(() => writer.attributes(name, attributes), {
    instanceOf: BackupToolError,
  });
  t.is(error?.code, "ENTRY_TOO_LONG");
});

test("OpenSSL and both builds of libsodium read the same from a backup, and hash it into the same table", async (t) => {
  const folder = newFolder();
  await writeSample(folder, FULL_CONTENTS, { chunkBytes: 700 });
  const pool = new SealPool(1);
  t.teardown(() => pool.close());
  const digest = readingDigest(await readAll(folder, samplePassphrase(), pool));
  const readings = [
    await readMeasured(folder),
    await readMeasured(folder, ["chunk_cipher.node"]),
    await readMeasured(folder, ["chunk_cipher.node", "sodium-native"]),
  ];
  t.deepEqual(
    readings.map(({ cipher }) => cipher),
    ["openssl", "sodium-native", "libsodium-wrappers"],
  );
  for (const found of readings) {
    t.is(found.code, "read", found.message);
    t.is(found.digest, digest);
    t.true(found.table);
  }
});

test("memory is reused from file to file", async (t) => {
  const folder = newFolder();
  const objects = Array.from({ length: 60 }, (_, i) => object(`o${i}`, noise(`o${i}`, 20_000)));
  await writeSample(folder, { objects }, { chunkBytes: 4096, archiveBytes: 40_000 });
  t.true(readdirSync(folder).length > 25);
  const pool = new SealPool(1);
  t.teardown(() => pool.close());
  const taken = new Set<SharedArrayBuffer>();
  const { memory } = pool;
  const take = memory.take.bind(memory);
  memory.take = (bytes) => {
    const piece = take(bytes);
    taken.add(piece);
    return piece;
  };
  t.is((await readAll(folder, samplePassphrase(), pool)).error, undefined);
  t.true(taken.size < 15, `${taken.size}`);
});

test("a reader that stops early leaves no file open", async (t) => {
  const folder = newFolder();
  await writeSample(folder, { objects: [object("o", noise("o", 50_000))] }, { chunkBytes: 512 });
  const pool = new SealPool(1);
  t.teardown(() => pool.close());
  const backup = await BackupReader.open(new FolderFiles(folder), samplePassphrase(), pool);
  for await (const { chunk } of backup.readArchive(0)) {
    chunk.release();
    break;
  }
  const open = readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
  t.deepEqual(
    open.filter((path) => path.startsWith(folder)),
    [],
  );
});
