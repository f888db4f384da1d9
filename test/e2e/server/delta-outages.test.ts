import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import type { ServerStatus } from "../../../src/server/status.js";
import { type Fault, FaultyProxy } from "../../support/network/faulty-proxy.js";
import { ForgettingProxy } from "../../support/network/forgetting-proxy.js";
import { backuptool, lines } from "../../support/program/backuptool.js";
import { ALONE, logOf, QUICK, untilDurable } from "../../support/program/delta-log.js";
import { RunningServer } from "../../support/program/running-server.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import {
  bothStores,
  bucketStore,
  folderStore,
  type NamedStore,
} from "../../support/stores/flags.js";
import { newBucket, radosgw } from "../../support/stores/s3-buckets.js";
import { newFolder } from "../../support/folders.js";

const MIB = 2 ** 20;
/** Of the smallest size that a delta may have. */
const SMALL = ["--delta-snapshot-memory-limit", "1MiB"];
/** Where a queue is full. */
const FULL = 4 * MIB;

/** Puts values that do not compress, several at a time: one revision each. */
async function write(etcd: EtcdServer, count: number, bytes: number): Promise<void> {
  for (let i = 0; i < count; i += 50) {
    const puts = Array.from({ length: Math.min(50, count - i) }, () =>
      etcd.put(Buffer.from("key"), randomBytes(bytes)),
    );
    await Promise.all(puts);
  }
}

/** Buckets that are down while there is a fault. */
async function buckets(t: ExecutionContext) {
  const stores = { fault: undefined as Fault | undefined };
  const proxy = await FaultyProxy.start(radosgw().endpoint, () => stores.fault);
  t.teardown(() => proxy.close());
  const bucket = async (): Promise<NamedStore> =>
    bucketStore(await newBucket(), { endpoint: proxy.url });
  return { stores, bucket };
}

/** Looks at the status all the time. Returns what stops that, and resolves with what was seen. */
function watchStatus(server: RunningServer): () => Promise<ServerStatus["deltas"][]> {
  const seen: ServerStatus["deltas"][] = [];
  let isOver = false;
  const looking = (async () => {
    while (!isOver) {
      seen.push((await server.status()).deltas);
      await sleep(50);
    }
    return seen;
  })();
  return () => {
    isOver = true;
    return looking;
  };
}

/** The queues are full, and not only for a moment. */
async function untilPaused(server: RunningServer): Promise<ServerStatus["deltas"]> {
  return await server.until("a pause", async () => {
    const { deltas } = await server.status();
    const waiting = deltas.sites.primary?.waiting.bytes ?? 0;
    return deltas.state === "paused" && waiting >= FULL ? deltas : undefined;
  });
}

/** The revisions after `after` up to `upTo` are in the log of a store, each one. */
async function isWhole(
  t: ExecutionContext,
  store: NamedStore,
  after: number,
  upTo: number,
): Promise<void> {
  const found = [...(await logOf(store, after, upTo)).keys()];
  t.deepEqual(
    found,
    Array.from({ length: upTo - after }, (_, i) => after + 1 + i),
  );
}

test("while both stores are down the watch of etcd pauses and the status says so, and nothing is lost", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const { stores, bucket } = await buckets(t);
  const [primary, secondary] = [await bucket(), await bucket()];
  const { flags, env } = bothStores(primary, secondary);
  const args = [...flags, ...ALONE, ...QUICK, ...SMALL, "--etcd", etcd.endpoint];
  await write(etcd, 1, 10);
  const base = await etcd.revision();
  const server = await RunningServer.start([...args, "--max-delta-age-alert", "1s"], env);
  t.teardown(() => server.stop("SIGKILL"));
  await server.logged("A stream of deltas has a base");
  const before = await untilDurable(server, etcd);

  stores.fault = { kind: "status", status: 503 };
  await write(etcd, 150, 64 * 1024);
  const paused = await untilPaused(server);
  await write(etcd, 150, 64 * 1024);
  const end = await etcd.revision();
  await server.until("an alert", async () => {
    const { alerts } = await server.status();
    return alerts.filter(({ name }) => name === "delta-lag").length === 2;
  });
  const during = (await server.status()).deltas;
  t.is(during.state, "paused");
  t.is(during.readRevision, paused.readRevision);
  t.true((during.readRevision ?? 0) < end);
  for (const site of [during.sites.primary, during.sites.secondary]) {
    t.is(site?.durableRevision, before);
    t.true((site?.oldestSeconds ?? 0) > 1);
    // The last delta may go over it.
    t.true((site?.waiting.bytes ?? 0) < FULL + 2 * MIB, `${site?.waiting.bytes}`);
  }

  stores.fault = undefined;
  await untilDurable(server, etcd);
  t.is((await server.status()).deltas.lastBreak?.lost, undefined);
  t.falsy(server.log.find(({ msg }) => msg.startsWith("Revisions of etcd are lost")));
  t.is(await server.stop(), 0, server.output);
  for (const store of [primary, secondary]) await isWhole(t, store, base, end);
});

async function untilAnotherBase(server: RunningServer): Promise<void> {
  await server.until("another base", async () => {
    const made = server.log.filter(({ msg }) => msg === "A stream of deltas has a base");
    return made.length === 2;
  });
}

/** The hole is what etcd compacted before it was read, and nothing in it was ever said to be durable. */
async function isRecorded(
  t: ExecutionContext,
  server: RunningServer,
  compacted: number,
  seen: readonly ServerStatus["deltas"][],
) {
  const line = server.log.find(({ msg }) => msg.startsWith("Revisions of etcd are lost"));
  const [first, last] = [Number(line?.["first"]), Number(line?.["last"])];
  // What etcd was at the compact revision, it still knows.
  t.is(last, compacted - 1);
  t.regex(line?.msg ?? "", /compacted/);
  const { deltas } = await server.status();
  t.deepEqual(deltas.lastBreak?.lost, { first, last });
  const claimed = seen.flatMap(({ sites }) =>
    Object.values(sites).map((site) => site?.durableRevision ?? 0),
  );
  t.true(claimed.length > 0);
  t.deepEqual(
    claimed.filter((revision) => revision >= first && revision <= last),
    [],
  );
  return { first, last };
}

/** `delta verify` names these revisions as lost, and no others. */
async function isNamed(
  t: ExecutionContext,
  store: NamedStore,
  lost: { first: number; last: number },
): Promise<void> {
  const verify = ["delta", "verify", "--json", ...store.flags()];
  const { stdout } = await backuptool(verify, { env: store.env() });
  const events = lines(stdout).map((line) => JSON.parse(line));
  const ranges = events.filter(({ state }) => state === "lost");
  t.deepEqual(
    ranges.map(({ first, last }) => ({ first, last })),
    [lost],
  );
}

test("what etcd compacts while the watch is paused is recorded as lost, and a new full goes on", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const { stores, bucket } = await buckets(t);
  const store = await bucket();
  const args = [...store.flags(), ...ALONE, ...QUICK, ...SMALL, "--etcd", etcd.endpoint];
  await write(etcd, 1, 10);
  const base = await etcd.revision();
  const server = await RunningServer.start(args, store.env());
  t.teardown(() => server.stop("SIGKILL"));
  await server.logged("A stream of deltas has a base");
  await untilDurable(server, etcd);
  const stop = watchStatus(server);

  stores.fault = { kind: "status", status: 503 };
  await write(etcd, 150, 64 * 1024);
  await untilPaused(server);
  // More than etcd keeps in memory for a watch that does not read.
  await write(etcd, 4000, 10);
  const compacted = (await etcd.revision()) - 5;
  await etcd.ctl("compact", `${compacted}`);
  stores.fault = undefined;
  await untilAnotherBase(server);
  await write(etcd, 3, 10);
  const end = await untilDurable(server, etcd);
  const lost = await isRecorded(t, server, compacted, await stop());
  t.is(await server.stop(), 0, server.output);
  await isWhole(t, store, base, lost.first - 1);
  await isWhole(t, store, end - 2, end);
  await isNamed(t, store, lost);
});

test("what etcd compacts while the watch is cut off is recorded as lost, and a new full goes on", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const proxy = await ForgettingProxy.start(etcd.endpoint);
  t.teardown(() => proxy.close());
  const store = folderStore(newFolder());
  const args = [...store.flags(), ...ALONE, ...QUICK, "--etcd", proxy.endpoint];
  await write(etcd, 1, 10);
  const base = await etcd.revision();
  const server = await RunningServer.start(args, store.env());
  t.teardown(() => server.stop("SIGKILL"));
  await server.logged("A stream of deltas has a base");
  await write(etcd, 10, 10);
  const before = await untilDurable(server, etcd);
  const stop = watchStatus(server);

  proxy.cut();
  await write(etcd, 20, 10);
  const compacted = (await etcd.revision()) - 5;
  await etcd.ctl("compact", `${compacted}`);
  proxy.mend();
  await untilAnotherBase(server);
  await write(etcd, 3, 10);
  const end = await untilDurable(server, etcd);
  const lost = await isRecorded(t, server, compacted, await stop());
  t.is(lost.first, before + 1);
  t.is(await server.stop(), 0, server.output);
  await isWhole(t, store, base, before);
  await isWhole(t, store, end - 2, end);
  await isNamed(t, store, lost);
});
