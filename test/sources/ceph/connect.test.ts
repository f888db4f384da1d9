import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { adviceOf } from "../../../src/cli/output/failure.js";
import { CephCluster, type CephOptions } from "../../../src/sources/ceph/cluster.js";
import { CephError } from "../../../src/sources/ceph/errors.js";
import { packNames } from "../../../src/sources/ceph/name-batch.js";
import { env } from "../../support/program/backuptool.js";
import { dropPools, makePools, writeObjects } from "../../support/ceph/client.js";
import { fateOf } from "../../support/ceph/fates.js";
import { cephOptions, NEVER, objectName, objectOf } from "../../support/ceph/load.js";
import { freePort } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";

function file(text: string): string {
  const path = join(newFolder(), "file");
  writeFileSync(path, text);
  return path;
}

const keyFile = (user: string): string =>
  file(`[client.${user}]\n\tkey = AQBz6h1ZAAAAABAAPeKqh0n0yWvYTbPAVOZgkQ==\n`);

const FAILURES: Readonly<Record<string, [() => Promise<Partial<CephOptions>>, RegExp, RegExp]>> = {
  "a configuration file that does not exist": [
    async () => ({ conf: "/no/such/ceph.conf" }),
    /configuration file "\/no\/such\/ceph.conf" cannot be read/,
    /--skip-ceph/,
  ],
  "a keyring that does not exist": [
    async () => ({ keyring: "/no/such/keyring" }),
    /keyring "\/no\/such\/keyring" cannot be read/,
    /permissions/,
  ],
  "a wrong key": [
    async () => ({ keyring: keyFile("admin") }),
    /as "client.admin" with ".*ceph.conf": the key is not accepted/,
    /--keyring/,
  ],
  "a user that does not exist": [
    async () => ({ user: "stranger", keyring: keyFile("stranger") }),
    /as "client.stranger"/,
    /--ceph-user/,
  ],
  "a keyring without the user": [
    async () => ({ user: "nobody" }),
    /as "client.nobody"/,
    /--keyring/,
  ],
  "a configuration file that is binary": [
    async () => ({ conf: file("\0\x01 this is [ not\n= a conf") }),
    /cannot connect/,
    /--cephconf|--keyring/,
  ],
  "monitors that do not answer": [
    async () => ({
      conf: file(`[global]\nmon host = 127.0.0.1:${await freePort()}\n`),
      connectTimeoutSeconds: 2,
    }),
    /no monitor answers/,
    /mon_host/,
  ],
  "a configuration file without monitors": [
    async () => ({ conf: file("[global]\n"), connectTimeoutSeconds: 2 }),
    /cannot connect/,
    /ceph.conf|--keyring/,
  ],
};

for (const [what, [options, message, hint]] of Object.entries(FAILURES)) {
  test(`a connect fails, with a hint, with ${what}`, async (t) => {
    const { error } = await fateOf(CephCluster.connect(cephOptions(await options()), NEVER));
    t.true(error instanceof CephError, `${error}`);
    if (!(error instanceof CephError)) return;
    t.is(error.code, "CEPH_CONNECT");
    t.regex(error.message, message);
    t.regex(adviceOf(error).join("; "), hint);
  });
}

test("the error of a pool that does not exist names the pool", async (t) => {
  const cluster = await CephCluster.connect(cephOptions(), NEVER);
  t.teardown(() => cluster.close());
  const error = await t.throwsAsync(cluster.openPool("no\nsuch"), { code: "CEPH_POOL_NOT_FOUND" });
  t.is(error?.message, 'ceph: there is no pool "no\\nsuch"');
});

test("a user that may only read gets CEPH_DENIED from writes and removals", async (t) => {
  const name = "only-read";
  await writeObjects("btrdbcold", [{ name, data: "data" }]);
  const options = cephOptions({ user: "backup", keyring: env("CEPH_KEYRING_BACKUP") });
  const cluster = await CephCluster.connect(options, NEVER);
  t.teardown(() => cluster.close());
  const pool = await cluster.openPool("btrdbcold");
  const write = await t.throwsAsync(pool.write([objectOf(name)], NEVER), { code: "CEPH_DENIED" });
  t.is(write?.message, 'ceph: write "only-read" in pool "btrdbcold": not allowed (EPERM)');
  const batch = packNames([objectName(name)]);
  await t.throwsAsync(pool.remove(batch, NEVER), { code: "CEPH_DENIED" });
  t.deepEqual([...(await pool.stat(batch, NEVER)).size], [4]);
});

test("a user that may not read a pool gets CEPH_DENIED from a listing, and EPERM from a read", async (t) => {
  const options = cephOptions({ user: "backup", keyring: env("CEPH_KEYRING_BACKUP") });
  const cluster = await CephCluster.connect(options, NEVER);
  t.teardown(() => cluster.close());
  const pool = await cluster.openPool("restore_hot");
  const listed = pool.list({ slices: 2, pageSize: 10, signal: NEVER });
  await t.throwsAsync(listed.next(), { code: "CEPH_DENIED" });
  const batch = packNames([objectName("x")]);
  const { value } = await pool.read([batch], { memoryBytes: 1, signal: NEVER }).next();
  t.is(value?.failures[0]?.error.errnoName, "EPERM");
});

test("pool counts leave out pools that do not exist", async (t) => {
  const pools = await makePools(1);
  const cluster = await CephCluster.connect(cephOptions(), NEVER);
  t.teardown(async () => {
    await cluster.close();
    await dropPools(pools);
  });
  // Without a manager the cluster may have no counts: this checks the form, not the numbers.
  const stats = await cluster.poolStats([...pools, "no such pool"], NEVER);
  t.true(stats.length <= 1);
  for (const { name, objects, bytes } of stats) {
    t.true(pools.includes(name));
    t.true(Number.isSafeInteger(objects) && objects >= 0 && Number.isSafeInteger(bytes));
  }
});
