import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { dropPools, makePools, writeObjects } from "../../support/ceph/client.js";
import { type Fault, FaultyProxy } from "../../support/network/faulty-proxy.js";
import { backuptool, cephFlags, lines, PASSPHRASE } from "../../support/program/backuptool.js";
import { RunningServer } from "../../support/program/running-server.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { bothStores, bucketStore, type NamedStore } from "../../support/stores/flags.js";
import { newBucket, radosgw } from "../../support/stores/s3-buckets.js";

let etcd: EtcdServer;
let pool: string;

test.before(async () => {
  etcd = await EtcdServer.start();
  [pool = ""] = await makePools(1);
  await etcd.put(Buffer.from("key"), Buffer.from("value"));
  await writeObjects(pool, [{ name: "stays", data: "as it was" }]);
});

test.after.always(async () => {
  await etcd?.stop();
  await dropPools([pool]);
});

interface Row {
  readonly name: string;
  readonly kind: string;
  readonly primary: string;
  readonly secondary?: string;
  readonly baseName?: string;
}

async function listed(primary: NamedStore, secondary: NamedStore): Promise<Row[]> {
  const { flags, env } = bothStores(primary, secondary);
  const { stdout } = await backuptool(["snapshot", "list", ...flags, "--json"], { env });
  return lines(stdout)
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === "snapshot");
}

test("after a day of schedules with failing stores, both sites hold what the rules say, and it restores", async (t) => {
  const faults: { primary?: Fault | undefined; secondary?: Fault | undefined } = {};
  const proxies = {
    primary: await FaultyProxy.start(radosgw().endpoint, () => faults.primary),
    secondary: await FaultyProxy.start(radosgw().endpoint, () => faults.secondary),
  };
  const [one, two] = [await newBucket(), await newBucket({ user: "two" })];
  const behindProxies = bothStores(
    bucketStore(one, { endpoint: proxies.primary.url }),
    bucketStore(two, { endpoint: proxies.secondary.url, user: "two" }),
  );
  const server = await RunningServer.start(
    [
      ...[...behindProxies.flags, "--etcd", etcd.endpoint, ...cephFlags(), "--include-pool", pool],
      ...["--leader-ttl", "3s", "--backup-retry-backoff", "1s"],
      ...["--schedule", "*/15 * * * * *", "--incremental-schedule", "*/4 * * * * *"],
      ...["--garbage-collection-policy", "LimitBased", "--max-backups", "2"],
      ...["--garbage-collection-period", "6s", "--backup-sync-period", "6s"],
      ...["--verify-schedule", "*/15 * * * * *", "--verify-subset", "50%"],
      // A store keeps the base of its oldest deltas beyond the rules, and its deltas are its own.
      ...["--delta-snapshot-period", "off"],
    ],
    behindProxies.env,
  );
  const done = (job: string): number =>
    server.log.filter((line) => line.msg === "Job done" && line.job === job).length;
  const deletedFrom = (): Set<unknown> =>
    new Set(server.log.filter(({ msg }) => msg === "Deleted a snapshot").map(({ store }) => store));
  try {
    await server.until("a full backup", async () => done("full") >= 1);
    await etcd.put(Buffer.from("key"), Buffer.from("another value"));
    await writeObjects(pool, [{ name: "comes", data: randomBytes(100_000) }]);
    await server.until("an incremental", async () => done("incremental") >= 1);

    faults.secondary = { kind: "drop" };
    await server.logged("The store is not usable", ({ site }) => site === "secondary");
    await sleep(6000);
    faults.secondary = undefined;
    await server.logged("The store is usable again", ({ site }) => site === "secondary");

    faults.primary = { kind: "status", status: 503 };
    await server.logged("The store is not usable", ({ site }) => site === "primary");
    await sleep(4000);
    faults.primary = undefined;
    await server.logged("The store is usable again", ({ site }) => site === "primary");

    // One more than is kept, and deletions on both sites.
    const before = done("full");
    await server.until("two more full backups", async () => done("full") >= before + 2);
    await server.until("deletions on both sites", async () => deletedFrom().size === 2);
    await server.until("two verifications", async () => done("verify") >= 2);
    const synced = done("sync");
    await server.until("two more syncs", async () => done("sync") >= synced + 2);
    const status = await server.status();
    t.true(status.sites.primary?.reachable);
    t.true(status.sites.secondary?.reachable);
  } finally {
    t.is(await server.stop(), 0);
    await proxies.primary.close();
    await proxies.secondary.close();
  }
  t.deepEqual(server.other, []);
  t.false(server.output.includes(PASSPHRASE));

  const [primary, secondary] = [bucketStore(one), bucketStore(two, { user: "two" })];
  const rows = await listed(primary, secondary);
  const complete = rows.filter((row) => row.primary === "complete");
  t.true(complete.length > 0);
  for (const row of rows) {
    t.not(row.baseName, "missing", row.name);
    t.not(row.primary, "damaged", row.name);
    t.not(row.secondary, "damaged", row.name);
    // The last backups may have been made after the last sync.
    if (!rows.slice(-3).includes(row)) t.is(row.secondary, row.primary, row.name);
  }
  const fulls = complete.filter(({ kind }) => kind === "full").length;
  // Two, and those that were made since the last collection.
  t.true(fulls >= 2 && fulls <= 4, JSON.stringify(rows));
  for (const site of [primary, secondary]) {
    for (const row of rows) {
      const isThere = (site === primary ? row.primary : row.secondary) === "complete";
      if (!isThere) continue;
      const { code, stderr } = await backuptool(
        ["inspect", ...site.flags(), "--snapshot", row.name],
        { env: site.env() },
      );
      t.is(code, 0, `${row.name}: ${stderr}`);
    }
  }
  const target = await EtcdServer.start();
  t.teardown(() => target.stop());
  const restored = await backuptool(
    [
      ...["restore", ...secondary.flags(), "--snapshot", "latest"],
      ...["--etcd", target.endpoint, "--skip-ceph"],
    ],
    { env: secondary.env() },
  );
  t.is(restored.code, 0, restored.stderr);
  t.is((await target.ctl("get", "key", "--print-value-only")).trim(), "another value");
});
