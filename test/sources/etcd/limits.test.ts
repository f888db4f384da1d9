import { randomBytes } from "node:crypto";
import { setMaxListeners } from "node:events";
import test, { type ExecutionContext } from "ava";
import { EtcdCluster } from "../../../src/sources/etcd/cluster.js";
import { EtcdError } from "../../../src/sources/etcd/errors.js";
import type { EtcdRecord } from "../../../src/sources/etcd/types.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

const { signal } = new AbortController();
setMaxListeners(0, signal);

async function serverWith(t: ExecutionContext, ...flags: string[]) {
  const etcd = await EtcdServer.start(flags);
  const cluster = await EtcdCluster.connect({ endpoints: [etcd.endpoint] });
  t.teardown(async () => {
    cluster.close();
    await etcd.stop();
  });
  return { etcd, cluster };
}

function record(key: string, value: Uint8Array): EtcdRecord {
  const revisions = { createRevision: 1, modRevision: 1, version: 1 };
  return { key: Buffer.from(key), value, ...revisions, lease: 0n };
}

async function put(cluster: EtcdCluster, records: EtcdRecord[]): Promise<number> {
  async function* batches(): AsyncGenerator<EtcdRecord[]> {
    yield records;
  }
  const options = { leases: new Map(), policy: "regrant", signal } as const;
  return (await cluster.putRecords(batches(), options)).records;
}

async function read(cluster: EtcdCluster, revision: number): Promise<EtcdRecord[][]> {
  const pages: EtcdRecord[][] = [];
  for await (const page of cluster.readRecords({ revision, signal })) pages.push(page);
  return pages;
}

const keyValue = ({ key, value }: EtcdRecord): [string, string] => [
  Buffer.from(key).toString("base64"),
  Buffer.from(value).toString("base64"),
];

test("20,000 small keys, binary keys and 1.4 MB values are read in pages, with the values that etcd3's client reads", async (t) => {
  const { etcd, cluster } = await serverWith(t);
  await etcd.putMany(Array.from({ length: 20_000 }, (_, i) => [`small/${i}`, `${i}`]));
  for (let i = 0; i < 7; i++) await etcd.put(Buffer.from(`large/${i}`), randomBytes(1_400_000));
  await etcd.put(Buffer.from([0]), Buffer.from([0, 0xff]));
  await etcd.put(Buffer.from([0xff, 0xff]), Buffer.alloc(0));
  const revision = await cluster.currentRevision();
  // Later writes are not part of the revision.
  await etcd.ctl("put", "small/later", "x");
  await etcd.ctl("del", "small/7");
  const pages = await read(cluster, revision);
  t.true(pages.length > 3);
  const found = pages.flat().map(keyValue);
  t.is(found.length, 20_009);
  t.deepEqual(found, await etcd.pairs(revision));
  t.is(await cluster.countKeys(revision, signal), 20_009);
});

test("all keys are put to and deleted from a server with --max-txn-ops 16 and a small --max-request-bytes", async (t) => {
  const { etcd, cluster } = await serverWith(
    t,
    "--max-txn-ops",
    "16",
    "--max-request-bytes",
    "20000",
  );
  const records = Array.from({ length: 500 }, (_, i) => record(`key${i}`, Buffer.alloc(i * 20, i)));
  t.is(await put(cluster, records), 500);
  const sorted = records.map(keyValue).sort(([a], [b]) => (a < b ? -1 : 1));
  t.deepEqual(
    (await etcd.pairs()).sort(([a], [b]) => (a < b ? -1 : 1)),
    sorted,
  );
  const keys = records.map(({ key }) => key);
  t.is(await cluster.deleteKeys([...keys, Buffer.from("not there")], signal), 500);
  t.deepEqual(await etcd.pairs(), []);
});

test("a repeated key, in one transaction or in several in flight, ends with its last value", async (t) => {
  const { etcd, cluster } = await serverWith(t);
  const values = (value: string) =>
    Array.from({ length: 1000 }, (_, i) =>
      record(`key${String(i).padStart(4, "0")}`, Buffer.from(value)),
    );
  const [first, second, last] = [values("first"), values("second"), values("last")];
  const few = [...first.slice(0, 3), ...second.slice(0, 3), ...last.slice(2, 3)];
  t.is(await put(cluster, few), 7);
  t.deepEqual(
    (await etcd.pairs()).map(([, value]) => Buffer.from(value, "base64").toString()),
    ["second", "second", "last"],
  );
  t.is(await put(cluster, [...first, ...second, ...last]), 3000);
  t.deepEqual(await etcd.pairs(), last.map(keyValue));
});

test("the largest records that a put accepts can be restored, also under a lease with a longer id", async (t) => {
  const { etcd, cluster } = await serverWith(t);
  const lease = 5n;
  await etcd.client.leaseClient.leaseGrant({ ID: `${lease}`, TTL: 1000 });
  const largest = async (key: string, leased: bigint) => {
    const bytes = randomBytes(1_572_864);
    // The rest of the request takes up to 100 bytes.
    for (let left = 0; left < 100; left++) {
      const value = bytes.subarray(left);
      try {
        await etcd.client.kv.put({ key: Buffer.from(key), value, lease: `${leased}` });
        return value.length;
      } catch (error) {
        if (!/request is too large/.test(`${error}`)) throw error;
      }
    }
    throw new Error("etcd accepts no value near its limit");
  };
  t.true((await largest("largest", 0n)) > 1_572_764);
  await largest("leased", lease);
  const before = await etcd.pairs();
  const revision = await cluster.currentRevision();
  const records = (await read(cluster, revision)).flat();
  t.is(records.length, 2);
  await cluster.deleteAll(signal);
  async function* batches() {
    yield records;
  }
  const options = { leases: new Map([[lease, 1000]]), policy: "regrant", signal } as const;
  t.is((await cluster.putRecords(batches(), options)).records, 2);
  t.deepEqual(await etcd.pairs(), before);
  const attached = (await etcd.leases()).filter(({ keys }) => keys.includes("leased"));
  t.is(attached.length, 1);
});

test("the error of a record that is too large for the server names it, and the flag to raise", async (t) => {
  const { cluster } = await serverWith(t, "--max-request-bytes", "20000");
  const error = await t.throwsAsync(put(cluster, [record("key", Buffer.alloc(30_000))]), {
    instanceOf: EtcdError,
  });
  t.is(error.code, "ETCD_TOO_LARGE");
  t.regex(error.message, /the record "key" has a value of 30000 bytes/);
  t.regex(error.hint ?? "", /--max-request-bytes/);
});

test("the error of an etcd at its quota has advice, and clear still works", async (t) => {
  const { etcd, cluster } = await serverWith(t, "--quota-backend-bytes", `${4 << 20}`);
  const records = Array.from({ length: 30 }, (_, i) => record(`key${i}`, randomBytes(500_000)));
  // etcd checks its size ten times a second, so a few more puts succeed.
  const fill = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await put(cluster, records);
  };
  const error = await t.throwsAsync(fill(), { instanceOf: EtcdError });
  t.is(error.code, "ETCD_NO_SPACE");
  t.true(error.message.includes(etcd.endpoint));
  t.regex(error.hint ?? "", /--quota-backend-bytes.*etcdctl alarm disarm/);
  t.true((await cluster.deleteAll(signal)) > 0);
  t.deepEqual(await etcd.pairs(), []);
});

test("50,000 keys are deleted, and counted", async (t) => {
  const { etcd, cluster } = await serverWith(t);
  await etcd.putMany(Array.from({ length: 50_000 }, (_, i) => [`key/${i}`, ""]));
  t.is(await cluster.deleteAll(signal), 50_000);
  t.deepEqual(await etcd.pairs(), []);
  t.is(await cluster.deleteAll(signal), 0);
});
