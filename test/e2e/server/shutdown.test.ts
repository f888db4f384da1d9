import { randomBytes } from "node:crypto";
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { newFolder } from "../../support/folders.js";
import { type Fault, FaultyProxy } from "../../support/network/faulty-proxy.js";
import { RunningServer } from "../../support/program/running-server.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { bucketStore } from "../../support/stores/flags.js";
import { openUploads } from "../../support/stores/judge-store.js";
import { newBucket, radosgw } from "../../support/stores/s3-buckets.js";

let etcd: EtcdServer;

test.before(async () => {
  etcd = await EtcdServer.start();
  for (let i = 0; i < 9; i++) await etcd.put(Buffer.from(`key-${i}`), randomBytes(1_400_000));
});

test.after.always(() => etcd?.stop());

const ALONE = ["--no-leader-election", "--skip-ceph"];

test("a backup that cannot end within the grace period leaves the store clean", async (t) => {
  let fault: Fault | undefined;
  const proxy = await FaultyProxy.start(radosgw().endpoint, ({ method }) =>
    method === "PUT" || method === "POST" ? fault : undefined,
  );
  const bucket = await newBucket();
  const store = bucketStore(bucket, { endpoint: proxy.url });
  const server = await RunningServer.start(
    [
      ...[...store.flags(), ...ALONE, "--etcd", etcd.endpoint],
      ...["--archive-size", "6MiB", "--shutdown-grace", "12s"],
    ],
    store.env(),
  );
  await server.logged("Backup begun");
  // Parts take so long that the backup cannot end.
  fault = { kind: "slow", ms: 4000 };
  const code = await server.stop();
  fault = undefined;
  await proxy.close();
  t.is(code, 0, server.output);
  t.truthy(
    server.log.find(({ msg }) => msg.startsWith("Job interrupted")) ??
      server.log.find(({ msg }) => msg === "Backup stored"),
  );
  const keys = (await store.open().list("")).objects.map(({ key }) => key);
  // The base of the log may have been complete before.
  const isStored = (key: string): boolean =>
    key.startsWith("Etcd-") && keys.includes(`${key.split("/")[0]}/MANIFEST.json`);
  const left = keys.filter((key) => !key.startsWith(".backuptool/") && !isStored(key));
  t.deepEqual(left, [], server.output);
  t.deepEqual(await openUploads(bucket), []);
});

test("a backup that can end within the grace period does", async (t) => {
  const folder = newFolder();
  const server = await RunningServer.start([
    ...["--store", `file://${folder}`, ...ALONE, "--etcd", etcd.endpoint],
  ]);
  await server.logged("Job begun");
  t.is(await server.stop(), 0);
  t.truthy(
    server.log.find(({ msg }) => msg === "Backup stored"),
    server.output,
  );
});

test("SIGHUP reads the configuration again, and wrong settings change nothing", async (t) => {
  const folder = newFolder();
  const config = join(newFolder(), "server.yaml");
  const settings = (schedule: string): void =>
    writeFileSync(
      config,
      `store: file://${folder}\netcd: ${etcd.endpoint}\nskip-ceph: true\nleader-election: false\nincremental-schedule: "${schedule}"\n`,
    );
  settings("off");
  const server = await RunningServer.start(["--config", config]);
  try {
    await server.logged("Backup stored");
    settings("*/2 * * * *  *  * * *");
    server.signal("SIGHUP");
    await server.until("the error", async () =>
      server.log.some(({ msg }) => msg.startsWith("The configuration cannot be read")),
    );
    t.regex(await server.text("/metrics"), /^backuptool_config_last_reload_success 0$/m);
    settings("*/2 * * * * *");
    server.signal("SIGHUP");
    await server.logged("The configuration was read again");
    await server.logged("Job done", ({ job }) => job === "incremental");
    t.regex(await server.text("/metrics"), /^backuptool_config_last_reload_success 1$/m);
  } finally {
    t.is(await server.stop(), 0);
  }
});

test("a rotated credential file is used without a restart", async (t) => {
  const bucket = await newBucket();
  const { endpoint, credentials } = radosgw();
  const file = join(newFolder(), "credentials.json");
  const rotate = (secret: string): void => {
    const fields = {
      accessKeyID: credentials.accessKeyId,
      secretAccessKey: secret,
      endpoint,
      region: "us-east-1",
    };
    writeFileSync(file, JSON.stringify(fields));
    chmodSync(file, 0o600);
  };
  rotate(credentials.secretAccessKey);
  const server = await RunningServer.start(
    [
      ...["--store", `s3://${bucket}/x`, ...ALONE, "--etcd", etcd.endpoint],
      ...["--incremental-schedule", "*/3 * * * * *", "--backup-retry-backoff", "1s"],
    ],
    { AWS_APPLICATION_CREDENTIALS_JSON: file },
  );
  const stored = () => server.log.filter(({ msg }) => msg === "Backup stored").length;
  try {
    await server.until("two backups", async () => stored() >= 2);
    rotate("not the secret any more");
    await server.until("a failed backup", async () =>
      server.log.some(({ code }) => code === "STORE_CREDENTIALS"),
    );
    rotate(credentials.secretAccessKey);
    const before = stored();
    await server.until("a backup with the new file", async () => stored() > before);
  } finally {
    t.is(await server.stop(), 0);
  }
  t.false(server.output.includes(credentials.secretAccessKey));
  t.true(readdirSync(join(file, "..")).length === 1);
  t.true(readFileSync(file, "utf8").includes(credentials.secretAccessKey));
});
