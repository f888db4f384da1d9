import test from "ava";
import { restoreEtcdAt } from "../../../src/operations/history/restore-etcd.js";
import { newFolder } from "../../support/folders.js";
import { RecordedEtcd } from "../../support/history/recorded-etcd.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

test("a key of a lease that no delta names is restored with the TTL of unknown leases", async (t) => {
  const [etcd, target] = await Promise.all([EtcdServer.start(), EtcdServer.start()]);
  t.teardown(() => Promise.all([etcd.stop(), target.stop()]));
  const recorded = new RecordedEtcd(etcd, "leases that ended");
  t.teardown(() => recorded.close());
  await etcd.ctl("put", "before", "1");
  await recorded.base();
  const lease = await etcd.grant(600);
  await etcd.ctl("put", "leased", "2", `--lease=${lease}`);
  const revision = await etcd.revision();
  // As a lease that ends before the watch asks for it.
  await etcd.ctl("lease", "revoke", lease);
  await recorded.flush({ compactRevision: 0 });
  const { complete } = await restoreEtcdAt(
    {
      location: recorded.location,
      spoolDir: newFolder(),
      target: { kind: "revision", revision },
      etcd: { endpoints: [`http://${target.endpoint}`], timeoutMs: 30_000 },
      leases: "regrant",
      unknownLeaseTtlSeconds: 3600,
    },
    recorded.context,
  );
  t.true(complete);
  const decoded = (text: string) => Buffer.from(text, "base64").toString();
  const pairs = (await target.pairs()).map((pair) => pair.map(decoded));
  t.deepEqual(pairs, [
    ["before", "1"],
    ["leased", "2"],
  ]);
  t.deepEqual(await target.leases(), [{ ttl: 3600, keys: ["leased"] }]);
  const restored = recorded.events.find(({ type }) => type === "restored");
  t.like(restored, { records: 2, expiredRecords: 0 });
});

test("a full that was made right after a compaction is a base of the log, unless its last revision deletes a key", async (t) => {
  const [etcd, target] = await Promise.all([EtcdServer.start(), EtcdServer.start()]);
  t.teardown(() => Promise.all([etcd.stop(), target.stop()]));
  const recorded = new RecordedEtcd(etcd, "compact, then back up");
  t.teardown(() => recorded.close());
  const restore = async () =>
    await restoreEtcdAt(
      {
        location: recorded.location,
        spoolDir: newFolder(),
        target: { kind: "newest" },
        etcd: { endpoints: [`http://${target.endpoint}`], timeoutMs: 30_000 },
        leases: "regrant",
        unknownLeaseTtlSeconds: 3600,
      },
      recorded.context,
    );
  const compactAndGoOn = async (value: string) => {
    await recorded.flush({ compactRevision: 0 });
    await etcd.ctl("compact", `${await etcd.revision()}`);
    const base = await recorded.base();
    recorded.beginStream();
    await etcd.ctl("put", "later", value);
    await recorded.flush({ compactRevision: 0 });
    return base;
  };
  await etcd.ctl("put", "kept", "1");
  const base = await compactAndGoOn("2");
  t.deepEqual(await restore(), { complete: true });
  const keys = (await target.pairs()).map(([key]) => Buffer.from(key, "base64").toString());
  t.deepEqual(keys, ["kept", "later"]);
  t.like(
    recorded.events.find(({ type }) => type === "etcd-history"),
    { base },
  );
  await etcd.ctl("del", "later");
  await compactAndGoOn("3");
  t.deepEqual(await restore(), { complete: true });
  const chosen = recorded.events.filter(({ type }) => type === "etcd-history").at(-1);
  t.like(chosen, { base });
  const [warning] = recorded.events.filter(({ type }) => type === "warning");
  t.like(warning, { type: "warning" });
});
