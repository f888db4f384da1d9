import { randomBytes } from "node:crypto";
import test from "ava";
import { newFolder } from "../../support/folders.js";
import { type Fault, FaultyProxy } from "../../support/network/faulty-proxy.js";
import { backuptool } from "../../support/program/backuptool.js";
import { RunningServer } from "../../support/program/running-server.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { bothStores, bucketStore, folderStore } from "../../support/stores/flags.js";
import { newBucket, radosgw } from "../../support/stores/s3-buckets.js";

let etcd: EtcdServer;

test.before(async () => {
  etcd = await EtcdServer.start();
  await etcd.put(Buffer.from("key"), randomBytes(100_000));
});

test.after.always(() => etcd?.stop());

const ALONE = ["--no-leader-election", "--skip-ceph"];

test("a secondary that is down at start and later stops nothing, and is caught up when it is back", async (t) => {
  let fault: Fault | undefined = { kind: "status", status: 503 };
  const proxy = await FaultyProxy.start(radosgw().endpoint, () => fault);
  const primary = folderStore(newFolder());
  const bucket = await newBucket();
  const secondary = bucketStore(bucket, { endpoint: proxy.url });
  const { flags, env } = bothStores(primary, secondary);
  const server = await RunningServer.start(
    [
      ...[...flags, ...ALONE, "--etcd", etcd.endpoint],
      ...["--schedule", "0 0 1 1 *", "--incremental-schedule", "*/3 * * * * *"],
      ...["--backup-sync-period", "1h", "--max-sync-lag-alert", "3s"],
    ],
    env,
  );
  const backups = () => server.log.filter(({ msg }) => msg === "Backup stored");
  try {
    await server.logged("failed to create secondary snapstore");
    await server.logged("Only primary snapstore available, using single endpoint");
    await server.until("three backups without the secondary", async () => backups().length >= 3);
    const down = await server.until("an open breaker in the status", async () => {
      const status = await server.status();
      const lacks = (status.sync?.lag?.snapshots ?? 0) >= 3;
      return status.sites.secondary?.breaker === "open" && lacks && status;
    });
    t.is(down.sites.primary?.breaker, "closed");
    t.false(down.sites.secondary?.reachable);
    t.true((down.sync?.lag?.bytes ?? 0) > 0);
    const metrics = await server.text("/metrics");
    t.regex(metrics, /^backuptool_breaker_open\{store="secondary"\} 1$/m);
    t.regex(metrics, /^backuptool_store_up\{store="secondary"\} 0$/m);
    t.regex(metrics, /^backuptool_sync_lag_snapshots [1-9]/m);
    await server.until("an alert", async () =>
      server.log.some(({ msg }) => msg.startsWith("Alert: the secondary store lacks")),
    );

    fault = undefined;
    await server.logged("The store is usable again", ({ site }) => site === "secondary");
    await server.logged("Backups copied");
    const caught = await server.until("no lag", async () => {
      const status = await server.status();
      return status.sync?.lag?.snapshots === 0 && status.sites.secondary?.reachable && status;
    });
    t.true((caught.sites.secondary?.snapshots.complete ?? 0) >= 3);
    // From then on both get each backup.
    await server.logged("Backup stored", ({ secondary: also }) => also !== undefined);
  } finally {
    t.is(await server.stop(), 0);
    await proxy.close();
  }
  const { code, stderr } = await backuptool(
    ["inspect", ...bucketStore(bucket).flags(), "--snapshot", "latest"],
    { env: bucketStore(bucket).env() },
  );
  t.is(code, 0, stderr);
});

test("a primary that is down at start ends the server, whatever the secondary is", async (t) => {
  const proxy = await FaultyProxy.start(radosgw().endpoint, () => ({ kind: "drop" }));
  const down = bucketStore(await newBucket(), { endpoint: proxy.url });
  try {
    for (const secondary of [folderStore(newFolder()), down]) {
      const both = bothStores(
        down,
        secondary === down ? bucketStore(await newBucket(), { endpoint: proxy.url }) : secondary,
      );
      const server = await RunningServer.start(
        [...both.flags, ...ALONE, "--etcd", etcd.endpoint],
        both.env,
      );
      const code = await server.stop("SIGCONT");
      t.is(code, 1, server.output);
      t.regex(server.other.join("\n"), /^backuptool: s3:\/\//m);
    }
  } finally {
    await proxy.close();
  }
});

test("the same place as primary and secondary is wrong usage", async (t) => {
  const folder = newFolder();
  const { flags } = bothStores(folderStore(folder), folderStore(`${folder}/.`));
  const server = await RunningServer.start([...flags, ...ALONE, "--etcd", etcd.endpoint]);
  t.is(await server.stop("SIGCONT"), 2, server.output);
});
