import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { dropPools, makePools, writeObjects } from "../../support/ceph/client.js";
import { newFolder } from "../../support/folders.js";
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

const RULES = ["--garbage-collection-policy", "LimitBased", "--max-backups", "2"];

/** What the rules say of each snapshot and stream in a store, and why. */
async function decided(store: NamedStore): Promise<{ snapshot: string; keep: boolean }[]> {
  const command = ["prune", ...store.flags(), ...RULES, "--dry-run", "--json"];
  const { stdout } = await backuptool(command, { env: store.env() });
  return lines(stdout)
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === "retention-decision");
}

/** Retention looks at one site after the other: a backup that is complete in between makes one delete more. */
async function settled(server: RunningServer): Promise<void> {
  const ended = (job: string): number =>
    server.log.filter((line) => line.msg === "Job done" && line.job === job).length;
  await server.until("the end of the last backup", async () => {
    const { full, incremental } = (await server.status()).jobs;
    return full.state === "idle" && incremental.state === "idle";
  });
  // The first of two may have begun before.
  for (const job of ["sync", "retention"]) {
    const before = ended(job);
    await server.until(`two more runs of ${job}`, async () => ended(job) >= before + 2);
  }
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
  const config = join(newFolder(), "server.yaml");
  const schedule = (full: string, incremental: string): void =>
    writeFileSync(config, `schedule: "${full}"\nincremental-schedule: "${incremental}"\n`);
  schedule("*/15 * * * * *", "*/4 * * * * *");
  const server = await RunningServer.start(
    [
      ...["--config", config],
      ...[...behindProxies.flags, "--etcd", etcd.endpoint, ...cephFlags(), "--include-pool", pool],
      ...["--leader-ttl", "3s", "--backup-retry-backoff", "1s"],
      ...[...RULES, "--garbage-collection-period", "6s", "--backup-sync-period", "6s"],
      ...["--verify-schedule", "*/15 * * * * *", "--verify-subset", "50%"],
    ],
    behindProxies.env,
  );
  const done = (job: string): number =>
    server.log.filter((line) => line.msg === "Job done" && line.job === job).length;
  const deletedFrom = (): Set<unknown> =>
    new Set(server.log.filter(({ msg }) => msg === "Deleted a snapshot").map(({ store }) => store));
  const leftAlone = (site: "primary" | "secondary"): Promise<boolean> =>
    server.until(`the end of calls to the ${site}`, async () => {
      return (await server.status()).sites[site]?.breaker === "open";
    });
  try {
    await server.until("a full backup", async () => done("full") >= 1);
    await etcd.put(Buffer.from("key"), Buffer.from("another value"));
    await writeObjects(pool, [{ name: "comes", data: randomBytes(100_000) }]);
    await server.until("an incremental", async () => done("incremental") >= 1);

    faults.secondary = { kind: "drop" };
    await leftAlone("secondary");
    await sleep(3000);
    faults.secondary = undefined;
    await server.logged("The store is usable again", ({ site }) => site === "secondary");

    faults.primary = { kind: "status", status: 503 };
    await leftAlone("primary");
    faults.primary = undefined;
    await server.logged("The store is usable again", ({ site }) => site === "primary");

    // One more than is kept, and deletions on both sites.
    const before = done("full");
    await server.until("two more full backups", async () => done("full") >= before + 2);
    await server.until("deletions on both sites", async () => deletedFrom().size === 2);
    await server.until("two verifications", async () => done("verify") >= 2);
    schedule("off", "off");
    server.signal("SIGHUP");
    await server.logged("The configuration was read again");
    await settled(server);
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
  // What tells why, where they differ.
  const decisions = { primary: await decided(primary), secondary: await decided(secondary) };
  const why = (name: string): string => {
    const of = (site: "primary" | "secondary") =>
      JSON.stringify(decisions[site].find(({ snapshot }) => snapshot === name));
    return `${name}: ${of("primary")} ${of("secondary")}\n${server.output}`;
  };
  for (const { name, baseName, primary, secondary } of rows) {
    t.not(baseName, "missing", name);
    t.is(primary, "complete", why(name));
    t.is(secondary, "complete", why(name));
  }
  for (const { snapshot, keep } of [...decisions.primary, ...decisions.secondary]) {
    t.true(keep, why(snapshot));
  }
  const names = (site: "primary" | "secondary") => decisions[site].map(({ snapshot }) => snapshot);
  t.deepEqual(names("secondary"), names("primary"));
  t.true(names("primary").some((name) => name.startsWith("Etcd-")));
  t.true(rows.filter(({ kind }) => kind === "full").length >= 2);
  for (const site of [primary, secondary]) {
    for (const row of rows) {
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
