import { createHash } from "node:crypto";
import { readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { FolderFiles } from "../../../src/archive/backup-files.js";
import { BackupReader } from "../../../src/archive/backup-reader.js";
import { BackupWriter } from "../../../src/archive/backup-writer.js";
import { FolderTarget } from "../../../src/archive/folder-target.js";
import { BackupKeys, PassphraseKeys } from "../../../src/archive/crypto/backup-keys.js";
import type { EtcdMode } from "../../../src/archive/metadata.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { extractRawSnapshot } from "../../../src/archive/snapshot/extract-snapshot.js";
import { BackupToolError, InterruptedError } from "../../../src/errors.js";
import type { CreateOptions } from "../../../src/operations/create/create.js";
import { archiveSnapshot, spoolIfWanted } from "../../../src/operations/create/etcd.js";
import { checkRawSnapshot, spoolRawSnapshot } from "../../../src/operations/create/raw-snapshot.js";
import type { OperationEvent } from "../../../src/operations/events.js";
import { inspectBackup } from "../../../src/operations/inspect/inspect.js";
import { dropPools, makePools, writeObjects } from "../../support/ceph/client.js";
import { cephOptions } from "../../support/ceph/load.js";
import { CHEAP_KDF } from "../../support/archive/sample.js";
import { newFolder } from "../../support/folders.js";
import { ForgettingProxy } from "../../support/network/forgetting-proxy.js";
import { PASSPHRASE } from "../../support/program/backuptool.js";
import { createHere } from "../../support/program/create-here.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

const { signal } = new AbortController();

/** Of all keys, values, revisions and leases that etcd holds up to a revision. */
async function hashAt(etcd: EtcdServer, revision: number): Promise<number> {
  const answer = await etcd.ctl("endpoint", "hashkv", `--rev=${revision}`, "--write-out=json");
  return JSON.parse(answer)[0].HashKV.hash;
}

function codeOf(error: unknown): string {
  return error instanceof BackupToolError ? error.code : String(error);
}

async function startEtcd(t: ExecutionContext): Promise<EtcdServer> {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  return etcd;
}

/** Makes a backup into a new folder. */
async function create(
  etcd: EtcdServer,
  etcdMode: EtcdMode,
  more: Partial<CreateOptions> = {},
): Promise<{ folder: string; events: OperationEvent[] }> {
  const folder = join(newFolder(), "backup");
  const events: OperationEvent[] = [];
  const spoolDir = newFolder();
  await createHere(
    {
      outputDir: folder,
      etcd: { endpoints: [etcd.endpoint] },
      etcdMode,
      spoolDir,
      ...more,
    },
    (event) => events.push(event),
  );
  if (readdirSync(spoolDir).length > 0) throw new Error("the spool is left behind");
  return { folder, events };
}

async function open(t: ExecutionContext, folder: string): Promise<BackupReader> {
  const pool = new SealPool(1);
  t.teardown(() => pool.close());
  return await BackupReader.open(
    new FolderFiles(folder),
    new PassphraseKeys(Buffer.from(PASSPHRASE)),
    pool,
  );
}

/** The raw snapshot of a backup, as a file for etcdctl. */
async function extracted(t: ExecutionContext, folder: string): Promise<string> {
  const parts: Uint8Array[] = [];
  const backup = await open(t, folder);
  const { bytes, sha256 } = await extractRawSnapshot(
    backup,
    async (part) => {
      parts.push(part);
    },
    signal,
  );
  const whole = Buffer.concat(parts);
  t.is(whole.length, bytes);
  t.is(createHash("sha256").update(whole).digest("hex"), sha256);
  const path = join(newFolder(), "snapshot.db");
  writeFileSync(path, whole);
  return path;
}

async function inspected(folder: string): Promise<Extract<OperationEvent, { type: "inspected" }>> {
  const events: OperationEvent[] = [];
  await inspectBackup(
    { location: { kind: "folder", folder }, quick: false },
    {
      signal,
      report: (event) => events.push(event),
      passphrase: async () => Buffer.from(PASSPHRASE),
    },
  );
  const found = events.find((event) => event.type === "inspected");
  if (found?.type !== "inspected") throw new Error("nothing was reported");
  return found;
}

test("etcd starts from the raw snapshot of a backup with its keys, leases, users and revisions", async (t) => {
  const etcd = await startEtcd(t);
  for (let i = 0; i < 30; i++) await etcd.put(Buffer.from(`key ${i}`), Buffer.alloc(1 << 20, i));
  const lease = await etcd.grant(3600);
  await etcd.ctl("put", "leased", "value", `--lease=${lease}`);
  await etcd.ctl("user", "add", "alice:secret");
  await etcd.ctl("compact", "20");
  // The last change is a deletion, and etcd's own `snapshot status` may overlook it.
  await etcd.ctl("del", "key 3");
  const revision = await etcd.revision();
  const { folder, events } = await create(etcd, "raw");
  const { metadata, manifest } = await open(t, folder);
  t.like(metadata.etcd, { mode: "raw", revision, restarts: 0, firstBatch: 0 });
  t.like(metadata.etcd?.snapshot, { revision, compactRevision: 20, firstPiece: 0, file: 0 });
  t.is(manifest.etcdSnapshot, revision);
  t.is(metadata.counts.records, 0);
  const made = events.find(({ type }) => type === "etcd-snapshot");
  t.like(made, { revision, compactRevision: 20, bytes: metadata.etcd?.snapshot?.bytes });
  const { details } = await inspected(folder);
  t.like(details?.etcdSnapshot, { revision, compactRevision: 20 });

  const file = await extracted(t, folder);
  const pairs = await etcd.pairs();
  const leases = await etcd.leases();
  const hash = await hashAt(etcd, revision);
  await etcd.restoreFrom(file);
  t.deepEqual(await etcd.pairs(), pairs);
  t.is(await hashAt(etcd, revision), hash);
  t.deepEqual(await etcd.leases(), leases);
  t.regex(await etcd.ctl("user", "list"), /alice/);
  t.true((await etcd.revision()) >= revision);
  await t.throwsAsync(etcd.pairs(19), { message: /compacted/ });
  t.is((await etcd.pairs(revision - 1)).length, pairs.length + 1);
});

test("with both, the records are those of the raw snapshot's revision", async (t) => {
  const etcd = await startEtcd(t);
  await etcd.putMany(Array.from({ length: 500 }, (_, i) => [`key ${i}`, `value ${i}`] as const));
  const { folder } = await create(etcd, "both");
  const { metadata } = await open(t, folder);
  const { snapshot, revision, mode } = metadata.etcd ?? {};
  t.is(mode, "both");
  t.is(snapshot?.revision, revision);
  t.is(metadata.counts.records, 500);
  t.like(await inspected(folder), { records: 500 });
  await etcd.restoreFrom(await extracted(t, folder));
  t.is((await etcd.pairs()).length, 500);
});

test("an incremental over a backup with both holds changed records alone, or the whole database again", async (t) => {
  const etcd = await startEtcd(t);
  await etcd.putMany(Array.from({ length: 50 }, (_, i) => [`key ${i}`, "old"] as const));
  const full = await create(etcd, "both");
  await etcd.ctl("put", "key 7", "new");
  const incrementalOver = { kind: "folder", folder: full.folder } as const;
  for (const [mode, records] of [
    ["records", 1],
    ["both", 1],
    ["raw", 0],
  ] as const) {
    const { folder } = await create(etcd, mode, { incrementalOver });
    const { metadata } = await open(t, folder);
    t.is(metadata.counts.records, records, mode);
    t.is(metadata.counts.unchangedKeys, mode === "raw" ? 0 : 49, mode);
    t.is(
      metadata.etcd?.snapshot?.revision,
      mode === "records" ? undefined : metadata.etcd?.revision,
    );
    t.like(await inspected(folder), { records });
  }
});

test("an incremental of records over a raw snapshot holds all records", async (t) => {
  const etcd = await startEtcd(t);
  await etcd.putMany([
    ["a", "1"],
    ["b", "2"],
  ]);
  const full = await create(etcd, "raw");
  await etcd.ctl("del", "a");
  const { folder } = await create(etcd, "records", {
    incrementalOver: { kind: "folder", folder: full.folder },
  });
  const { metadata } = await open(t, folder);
  t.like(metadata.counts, { records: 1, unchangedKeys: 0, deletedKeys: 0 });
});

test("with Ceph, the raw snapshot begins a file of its own and is as of the end", async (t) => {
  const [etcd, pools] = [await startEtcd(t), await makePools(1)];
  t.teardown(() => dropPools(pools));
  await writeObjects(pools[0] ?? "", [{ name: "object", size: 300_000 }]);
  await etcd.ctl("put", "a", "1");
  let late: Promise<unknown> | undefined;
  const folder = join(newFolder(), "backup");
  await createHere(
    {
      outputDir: folder,
      etcd: { endpoints: [etcd.endpoint] },
      ceph: cephOptions(),
      includePools: pools,
      etcdMode: "both",
    },
    ({ type }) => {
      // While the pools are read.
      if (type === "file-created") late ??= etcd.ctl("put", "b", "2");
    },
  );
  await late;
  const backup = await open(t, folder);
  t.is(backup.archives.length, 2);
  t.is(backup.metadata.etcd?.snapshot?.file, 1);
  t.is(backup.metadata.counts.objects, 1);
  await inspected(folder);
  await extracted(t, folder);
});

test("with Ceph, a raw snapshot that cannot be had is known before the pools are read", async (t) => {
  const [etcd, pools] = [await startEtcd(t), await makePools(1)];
  t.teardown(() => dropPools(pools));
  await etcd.ctl("put", "key", "value");
  const spoolDir = join(newFolder(), "missing");
  const outputDir = join(newFolder(), "backup");
  const create = async (more: Partial<CreateOptions>) => {
    const seen: string[] = [];
    const making = createHere(
      {
        ...{ outputDir, spoolDir, ceph: cephOptions(), includePools: pools, etcdMode: "both" },
        etcd: { endpoints: [etcd.endpoint] },
        ...more,
      },
      ({ type }) => seen.push(type),
    );
    await making.catch((error: unknown) => seen.push(codeOf(error)));
    return seen;
  };
  const failed = await create({});
  t.is(failed.at(-1), "SPOOL");
  t.false(failed.includes("file-created"));
  const made = await create({ rawIsOptional: true });
  t.is(made.filter((type) => type === "warning").length, 1);
  t.true(made.indexOf("warning") < made.indexOf("file-created"));
  const { metadata } = await open(t, outputDir);
  t.is(metadata.etcd?.snapshot, undefined);
  t.is(metadata.counts.records, 1);
});

test("an etcd that does not answer fails a backup whose raw snapshot is optional", async (t) => {
  const etcd = await startEtcd(t);
  const context = { signal, report: () => {} };
  const parts = { etcdMode: "both", spoolDir: newFolder(), rawIsOptional: true } as const;
  const options = { endpoints: [etcd.endpoint] };
  const spooled = await spoolIfWanted(options, parts, context);
  t.is(spooled?.revision, 1);
  await spooled?.close();
  await etcd.stop();
  await t.throwsAsync(spoolIfWanted(options, parts, context), { code: "ETCD_UNAVAILABLE" });
  const aborted = { ...context, signal: AbortSignal.abort() };
  await t.throwsAsync(spoolIfWanted(options, parts, aborted), { instanceOf: InterruptedError });
  t.is(await spoolIfWanted(options, { ...parts, etcdMode: "records" }, context), undefined);
});

test("a check of the database gives its size, and leaves nothing", async (t) => {
  const etcd = await startEtcd(t);
  for (let i = 0; i < 5; i++) await etcd.put(Buffer.from(`key ${i}`), Buffer.alloc(1 << 20, i));
  const [options, spoolDir] = [{ endpoints: [etcd.endpoint] }, newFolder()];
  const size = await checkRawSnapshot(options, { spoolDir }, signal);
  const spooled = await spoolRawSnapshot(options, { spoolDir }, { signal, report: () => {} });
  t.is(size, spooled.bytes);
  await spooled.close();
  t.deepEqual(readdirSync(spoolDir), []);
});

test("a login without the root role gets no raw snapshot: an error, or records where it is optional", async (t) => {
  const etcd = await EtcdServer.start([], ["--user=root:secret"]);
  t.teardown(() => etcd.stop());
  await etcd.ctl("put", "key", "value");
  await etcd.ctl("user", "add", "root:secret");
  await etcd.ctl("user", "grant-role", "root", "root");
  await etcd.ctl("user", "add", "reader:secret");
  await etcd.ctl("role", "add", "reads");
  await etcd.ctl("role", "grant-permission", "reads", "--from-key", "readwrite", "");
  await etcd.ctl("user", "grant-role", "reader", "reads");
  await etcd.ctl("auth", "enable");
  const login = (user: string) => ({
    etcd: { endpoints: [etcd.endpoint], user, password: "secret" },
  });
  const error = await t.throwsAsync(create(etcd, "both", login("reader")), {
    instanceOf: BackupToolError,
  });
  t.is(error?.code, "ETCD_AUTH");
  t.regex(error?.hint ?? "", /root/);
  const { folder, events } = await create(etcd, "both", {
    ...login("reader"),
    rawIsOptional: true,
  });
  const warning = events.find(({ type }) => type === "warning");
  t.regex(warning?.type === "warning" ? warning.message : "", /records of etcd alone/);
  const { metadata } = await open(t, folder);
  t.is(metadata.etcd?.snapshot, undefined);
  t.is(metadata.counts.records, 1);
  const asRoot = await create(etcd, "raw", login("root"));
  t.is((await open(t, asRoot.folder)).metadata.etcd?.mode, "raw");
});

test("a database that the disk has changed is not archived", async (t) => {
  const etcd = await startEtcd(t);
  await etcd.ctl("put", "key", "value");
  const context = { signal, report: () => {} };
  const endpoints = [etcd.endpoint];
  const spooled = await spoolRawSnapshot({ endpoints }, { spoolDir: newFolder() }, context);
  t.teardown(() => spooled.close());
  const changed = {
    ...spooled,
    file: {
      size: spooled.bytes,
      read: async (target: Uint8Array, position: number) => {
        const length = await spooled.file.read(target, position);
        if (position === 0) target[100] = (target[100] ?? 0) ^ 1;
        return length;
      },
    },
  };
  const sealPool = new SealPool(1);
  t.teardown(() => sealPool.close());
  const folder = newFolder();
  const writer = new BackupWriter({
    target: new FolderTarget(folder),
    keys: await BackupKeys.create(new PassphraseKeys(Buffer.from(PASSPHRASE)).forNew, CHEAP_KDF),
    ...{ sealPool, compressionLevel: 1, archiveBytes: 1 << 30 },
  });
  await writer.start([]);
  await t.throwsAsync(archiveSnapshot(writer, changed, context), { code: "SPOOL" });
  await writer.close();
  t.false(readdirSync(folder).includes("MANIFEST.json"));
});

test("a database whose stream stops is spooled anew, and is whole", async (t) => {
  const etcd = await startEtcd(t);
  for (let i = 0; i < 30; i++) await etcd.put(Buffer.from(`key ${i}`), Buffer.alloc(1 << 20, i));
  const proxy = await ForgettingProxy.start(etcd.endpoint);
  t.teardown(() => proxy.close());
  const sizes: number[] = [];
  const spooled = await spoolRawSnapshot(
    { endpoints: [proxy.endpoint], timeoutMs: 2000 },
    { spoolDir: newFolder() },
    {
      signal,
      report: (event) => {
        if (event.type !== "progress") return;
        sizes.push(event.done);
        if (sizes.length === 2) proxy.forget();
      },
    },
  );
  t.teardown(() => spooled.close());
  t.true(
    sizes.some((size, i) => size < (sizes[i - 1] ?? 0)),
    "it began anew",
  );
  const whole = Buffer.alloc(spooled.bytes);
  for (let done = 0; done < whole.length; ) {
    done += await spooled.file.read(whole.subarray(done), done);
  }
  t.is(createHash("sha256").update(whole).digest("hex"), spooled.sha256);
  const before = createHash("sha256").update(whole.subarray(0, -32)).digest();
  t.true(whole.subarray(-32).equals(before));
});

test("a backup that is interrupted while the database comes ends without a trace", async (t) => {
  const etcd = await startEtcd(t);
  for (let i = 0; i < 8; i++) await etcd.put(Buffer.from(`key ${i}`), Buffer.alloc(1 << 20, i));
  const spoolDir = newFolder();
  const stop = new AbortController();
  const seen: number[] = [];
  const spooling = spoolRawSnapshot(
    { endpoints: [etcd.endpoint] },
    { spoolDir },
    {
      signal: stop.signal,
      report: (event) => {
        if (event.type === "progress") seen.push(event.done);
        stop.abort();
      },
    },
  );
  await t.throwsAsync(spooling, { instanceOf: InterruptedError });
  t.is(seen.length, 1);
  t.deepEqual(readdirSync(spoolDir), []);
  const open = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(join("/proc/self/fd", fd));
    } catch {
      return "";
    }
  });
  t.deepEqual(
    open.filter((path) => path.startsWith(spoolDir)),
    [],
  );
});

test("a folder without room is named before anything is stored", async (t) => {
  const etcd = await startEtcd(t);
  const spoolDir = join(newFolder(), "missing");
  const error = await t.throwsAsync(create(etcd, "raw", { spoolDir }), {
    instanceOf: BackupToolError,
  });
  t.is(error?.code, "SPOOL");
});
