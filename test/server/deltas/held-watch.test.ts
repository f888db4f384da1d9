import test from "ava";
import { changesDigest } from "../../../src/archive/delta/changes-digest.js";
import { SpoolFile } from "../../../src/files/spool-file.js";
import { spoolRawSnapshot } from "../../../src/operations/create/raw-snapshot.js";
import { lastChanges } from "../../../src/operations/history/base-changes.js";
import { openNewestWatch } from "../../../src/server/deltas/etcd-watch.js";
import { HeldWatch } from "../../../src/server/deltas/held-watch.js";
import { EtcdDatabase } from "../../../src/sources/etcd/file/database.js";
import { newFolder } from "../../support/folders.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

const { signal } = new AbortController();

test("what etcd gets while its raw snapshot is read comes after it, if that is of the same history", async (t) => {
  const server = await EtcdServer.start();
  t.teardown(() => server.stop());
  const etcd = { endpoints: [server.endpoint] };
  const put = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await server.ctl("put", `key ${i}`, "x".repeat(500));
  };
  const arrived: number[] = [];
  const begin = () =>
    HeldWatch.begin(
      {
        openNewest: (inner) => openNewestWatch(etcd, () => {}, inner),
        digestOf: changesDigest,
        // All but the first waits in the file.
        memoryBytes: () => 600,
        openFile: () => SpoolFile.create(newFolder(), "spool-dir"),
        arrived: (revision) => arrived.push(revision),
      },
      signal,
    );
  const empty = await begin();
  const first = { revision: 1, clusterId: "1", digest: undefined };
  t.is(await empty.after(first, signal), undefined, "it is of another cluster");
  // Once for an etcd without any change.
  for (const before of [0, 3]) {
    await put(before);
    const [held, other] = [await begin(), await begin()];
    await put(4);
    const spooled = await spoolRawSnapshot(
      etcd,
      { spoolDir: newFolder() },
      { signal, report: () => {} },
    );
    const database = await EtcdDatabase.open(spooled.file, "the database");
    const changes = await lastChanges(database, spooled, signal);
    await spooled.close();
    if (changes === undefined) throw new Error("no changes");
    const { revision, clusterId } = spooled;
    const base = { revision, clusterId, digest: changesDigest(changes) };
    await put(4);
    t.is(await other.after({ ...base, digest: Buffer.alloc(16) }, signal), undefined);
    const watch = await held.after(base, signal);
    if (watch === undefined) throw new Error("it is of the same history");
    t.true(watch.isStartProven);
    const got: number[] = [];
    const sink = {
      revisions: async (batch: readonly { readonly revision: number }[]) => {
        got.push(...batch.map((one) => one.revision));
        if (got.length === 6) throw new Error("enough");
      },
    };
    const running = watch.run(sink);
    await put(2);
    await t.throwsAsync(running, { message: "enough" });
    watch.close();
    t.deepEqual(
      got,
      [1, 2, 3, 4, 5, 6].map((more) => revision + more),
    );
    t.true(arrived.includes(revision + 6));
  }
});

test("a base whose own revision is compacted is followed by the watch that has run since before it", async (t) => {
  const server = await EtcdServer.start();
  t.teardown(() => server.stop());
  const etcd = { endpoints: [server.endpoint] };
  for (const value of ["one", "two", "three"]) await server.ctl("put", "key", value);
  await server.ctl("compact", `${await server.revision()}`);
  const held = await HeldWatch.begin(
    {
      openNewest: (inner) => openNewestWatch(etcd, () => {}, inner),
      digestOf: changesDigest,
      memoryBytes: () => 10_000,
      openFile: () => SpoolFile.create(newFolder(), "spool-dir"),
      arrived: () => {},
    },
    signal,
  );
  const folder = { spoolDir: newFolder() };
  const spooled = await spoolRawSnapshot(etcd, folder, { signal, report: () => {} });
  const database = await EtcdDatabase.open(spooled.file, "the database");
  t.is(await lastChanges(database, spooled, signal), undefined);
  await spooled.close();
  const { revision, clusterId } = spooled;
  await server.ctl("put", "key", "four");
  const watch = await held.after({ revision, clusterId, digest: undefined }, signal);
  if (watch === undefined) throw new Error("it has run all the time");
  t.false(watch.isStartProven);
  const got: number[] = [];
  const sink = {
    revisions: async (batch: readonly { readonly revision: number }[]) => {
      got.push(...batch.map((one) => one.revision));
      if (got.length === 2) throw new Error("enough");
    },
  };
  const running = watch.run(sink);
  await server.ctl("put", "key", "five");
  await t.throwsAsync(running, { message: "enough" });
  watch.close();
  t.deepEqual(got, [revision + 1, revision + 2]);
});
