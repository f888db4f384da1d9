import test, { type ExecutionContext } from "ava";
import { BackupReader } from "../../../src/archive/backup-reader.js";
import { BackupKeys, PassphraseKeys } from "../../../src/archive/crypto/backup-keys.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { extractRawSnapshot } from "../../../src/archive/snapshot/extract-snapshot.js";
import { InterruptedError } from "../../../src/errors.js";
import { type EtcdBaseOptions, makeEtcdBase } from "../../../src/operations/create/etcd-base.js";
import type { OperationEvent } from "../../../src/operations/events.js";
import { listSnapshots } from "../../../src/snapshots/catalog.js";
import { SnapshotFiles } from "../../../src/snapshots/snapshot-files.js";
import { listStreams } from "../../../src/snapshots/streams/list-streams.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { CHEAP_KDF } from "../../support/archive/sample.js";
import { newFolder } from "../../support/folders.js";
import { PASSPHRASE } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { s3Config } from "../../support/stores/s3-buckets.js";

const { signal } = new AbortController();

function localStore() {
  const config = { provider: "Local", container: newFolder(), prefix: "" } as const;
  const destination = { config, minChunkBytes: 5 << 20, maxParallelChunks: 2 };
  return { destination, store: new LocalStore(config) };
}

async function setUp(t: ExecutionContext) {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  for (let i = 0; i < 9; i++) await etcd.ctl("put", `key ${i}`, "value");
  const made: BackupKeys[] = [];
  const base = (stores: Pick<EtcdBaseOptions, "store" | "secondaryStore">, abort = signal) => {
    const events: OperationEvent[] = [];
    const { forNew } = new PassphraseKeys(Buffer.from(PASSPHRASE));
    const making = makeEtcdBase(
      {
        etcd: { endpoints: [etcd.endpoint] },
        spoolDir: newFolder(),
        archiveSize: 1 << 30,
        compressionLevel: 3,
        toolVersion: "test",
        nameTime: () => Math.floor(Date.now() / 1000),
        newKeys: async () => {
          const keys = await BackupKeys.create(forNew, CHEAP_KDF);
          made.push(keys);
          return keys;
        },
        ...stores,
      },
      {
        signal: abort,
        report: (event) => events.push(event),
        passphrase: async () => Buffer.from(PASSPHRASE),
      },
    );
    return { making, events };
  };
  return { etcd, base, made };
}

test("a base is complete in the folder of its stream, in both stores, and no snapshot", async (t) => {
  const { etcd, base, made } = await setUp(t);
  const [first, second] = [localStore(), localStore()];
  const revision = await etcd.revision();
  const { making } = base({ store: first.destination, secondaryStore: second.destination });
  const { stream, keys, ...found } = await making;
  t.like(found, { revision, compactRevision: 0, inPrimary: true, inSecondary: true });
  t.is(stream.firstRevision, revision + 1);
  t.deepEqual(made, [keys]);
  const pool = new SealPool(1);
  t.teardown(() => pool.close());
  for (const { store } of [first, second]) {
    t.deepEqual(await listSnapshots(store, signal), []);
    const [listed, ...others] = await listStreams(store, signal);
    t.is(others.length, 0);
    t.is(listed?.name.text, stream.text);
    t.like(listed?.base, { state: "complete", revision });
    const files = new SnapshotFiles(store, stream.text, signal);
    const passphrase = new PassphraseKeys(Buffer.from(PASSPHRASE));
    const backup = await BackupReader.open(files, passphrase, pool);
    t.like(backup.metadata, { snapshot: stream.text, ceph: null, kind: "full" });
    t.is(backup.metadata.id.slice(0, 8), stream.idStart);
    t.like(backup.metadata.etcd, { mode: "raw", revision });
    let bytes = 0;
    await extractRawSnapshot(
      backup,
      async (part) => {
        bytes += part.length;
      },
      signal,
    );
    t.is<unknown, unknown>(bytes, backup.metadata.etcd?.snapshot?.bytes);
  }
});

test("the secondary gets the base alone, under other keys, where the primary is down", async (t) => {
  const { base, made } = await setUp(t);
  const { destination: up, store } = localStore();
  const config = s3Config("nowhere", { endpoint: "http://127.0.0.1:9" });
  const down = { config, minChunkBytes: 5 << 20, maxParallelChunks: 2 };
  const { making, events } = base({ store: down, secondaryStore: up });
  const { stream, keys, inPrimary, inSecondary } = await making;
  t.deepEqual([inPrimary, inSecondary], [false, true]);
  t.is(made.length, 2);
  t.is(made[1], keys);
  t.true(
    events.some(
      (event) => event.type === "warning" && /secondary store gets the base/.test(event.message),
    ),
  );
  const listed = await listStreams(store, signal);
  const complete = listed.filter(({ base: found }) => found?.state === "complete");
  t.deepEqual(
    complete.map(({ name }) => name.text),
    [stream.text],
  );
  const alone = base({ store: down });
  await t.throwsAsync(alone.making, { code: "STORE_TRANSIENT" });
  // Where no store answers, the database is not read.
  t.false(alone.events.some((event) => event.type === "progress"));
  t.true(events.some((event) => event.type === "progress"));
});

test("the primary has the base where the secondary is down", async (t) => {
  const { base } = await setUp(t);
  const { destination: up } = localStore();
  const config = s3Config("nowhere", { endpoint: "http://127.0.0.1:9" });
  const down = { config, minChunkBytes: 5 << 20, maxParallelChunks: 2 };
  const { inPrimary, inSecondary } = await base({ store: up, secondaryStore: down }).making;
  t.deepEqual([inPrimary, inSecondary], [true, false]);
});

test("an aborted base ends, and completes nothing", async (t) => {
  const { base } = await setUp(t);
  const { destination, store } = localStore();
  const { making } = base({ store: destination }, AbortSignal.abort());
  await t.throwsAsync(making, { instanceOf: InterruptedError });
  t.deepEqual(await listStreams(store, signal), []);
});
