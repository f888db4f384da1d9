import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { EtcdCluster } from "../../../src/sources/etcd/cluster.js";
import { EtcdError } from "../../../src/sources/etcd/errors.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { ForgettingProxy } from "../../support/network/forgetting-proxy.js";

const { signal } = new AbortController();

async function connected(
  t: ExecutionContext,
  options: { timeoutMs?: number; heartbeatMs?: number },
) {
  const etcd = await EtcdServer.start();
  const proxy = await ForgettingProxy.start(etcd.endpoint);
  const cluster = await EtcdCluster.connect({ endpoints: [proxy.endpoint], ...options });
  t.teardown(async () => {
    cluster.close();
    proxy.close();
    await etcd.stop();
  });
  return { etcd, proxy, cluster };
}

/** Waits until the condition holds; the limit of the test ends the wait. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(50);
}

test("a call over a dropped connection is repeated over a new one", async (t) => {
  const { etcd, proxy, cluster } = await connected(t, { timeoutMs: 2000 });
  await etcd.ctl("put", "key", "value");
  const before = await cluster.currentRevision(signal);
  proxy.forget();
  t.is(await cluster.currentRevision(signal), before);
  proxy.forget();
  const key = { key: Buffer.from("key"), value: Buffer.from("again"), lease: 0n };
  async function* batches() {
    yield [{ ...key, createRevision: 1, modRevision: 1, version: 1 }];
  }
  const options = { leases: new Map(), policy: "regrant", signal } as const;
  t.is((await cluster.putRecords(batches(), options)).records, 1);
  t.is(Buffer.from((await etcd.pairs())[0]?.[1] ?? "", "base64").toString(), "again");
});

test("a ping detects a dropped connection while a long call waits", async (t) => {
  const { proxy, cluster } = await connected(t, { timeoutMs: 600_000 });
  const before = await cluster.currentRevision(signal);
  proxy.forget();
  t.is(await cluster.currentRevision(signal), before);
});

test("a connection without calls is kept alive, and a dropped one is replaced before it is needed", async (t) => {
  const { proxy, cluster } = await connected(t, { timeoutMs: 2000, heartbeatMs: 200 });
  const { sent, connections } = proxy;
  await until(() => proxy.sent > sent);
  t.is(proxy.connections, connections);
  proxy.forget();
  await until(() => proxy.connections > connections);
  t.true((await cluster.currentRevision(signal)) > 0);
});

test("etcd accepts the rate of these calls without ending the connection", async (t) => {
  const { proxy, cluster } = await connected(t, { heartbeatMs: 20 });
  const { sent, connections } = proxy;
  await until(() => proxy.sent > sent + 5000);
  t.is(proxy.connections, connections);
  t.true((await cluster.currentRevision(signal)) > 0);
});

test("a server that never answers again is an error after two tries", async (t) => {
  const { proxy, cluster } = await connected(t, { timeoutMs: 500 });
  proxy.forgetsNew = true;
  proxy.forget();
  const error = await t.throwsAsync(cluster.currentRevision(signal), { instanceOf: EtcdError });
  t.is(error.code, "ETCD_TIMEOUT");
});
