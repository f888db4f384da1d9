import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { type EpochTimes, LeaderLoop } from "../../src/server/leader.js";
import { openLog } from "../../src/server/log.js";
import { controlKey } from "../../src/snapshots/control/control-file.js";
import { takeEpoch } from "../../src/snapshots/control/epochs.js";
import { LocalStore } from "../../src/snapstore/local/store.js";
import type { SnapStore } from "../../src/snapstore/store.js";
import { newFolder } from "../support/folders.js";
import { EtcdServer } from "../support/servers/etcd-server.js";

const { signal } = new AbortController();
const TTL_MS = 2000;
let etcd: EtcdServer;

test.before(async () => {
  etcd = await EtcdServer.start();
});
test.after.always(() => etcd?.stop());

function newStore(): SnapStore {
  return new LocalStore({ provider: "Local", container: newFolder(), prefix: "" });
}

/** A candidate that runs until the test ends. */
function candidate(
  t: ExecutionContext,
  name: string,
  { store, key, times }: { store: SnapStore; key: string; times: EpochTimes },
) {
  const lines: string[] = [];
  const log = openLog({
    format: "json",
    level: "info",
    colour: false,
    write: (line) => lines.push(line),
  });
  const loop = new LeaderLoop(
    { etcd: { endpoints: [etcd.endpoint] }, key, ttlMs: TTL_MS },
    () => ({ name, url: `http://${name}` }),
    { log, changed: () => {}, primary: () => store },
    times,
  );
  const stop = new AbortController();
  const running = loop.run(stop.signal);
  t.teardown(async () => {
    stop.abort();
    await running;
  });
  const leads = async () => {
    while (loop.lead === undefined) await sleep(50);
    return loop.lead;
  };
  return { loop, leads, lines };
}

test("a leader whose epoch has ended gives the leadership back, and another server leads", async (t) => {
  const store = newStore();
  const times = { lookMs: 300, restMs: 600_000 };
  const one = candidate(t, "one", { store, key: "shared", times });
  const { guard, lost } = await one.leads();
  const two = candidate(t, "two", { store, key: "shared", times });
  // A server with another key, or in another etcd, has begun.
  await takeEpoch(store, "elsewhere", signal);
  while (!lost.aborted) await sleep(50);
  t.is(one.loop.lead, undefined);
  t.throws(() => guard.check(), { code: "NOT_LEADER" });
  await two.leads();
  t.is(one.loop.lead, undefined);
  while (one.loop.status().current?.identity !== "two") await sleep(100);
  t.true(one.lines.some((line) => /no longer leads/.test(line) && /begun epoch 2/.test(line)));
});

test("a leader whose epoch has ended leads again after a pause, when nobody else does", async (t) => {
  const store = newStore();
  const one = candidate(t, "one", { store, key: "alone", times: { lookMs: 300, restMs: 500 } });
  const { lost } = await one.leads();
  await store.delete(controlKey("epochs", "000000000001"));
  while (!lost.aborted) await sleep(50);
  const again = await one.leads();
  await again.guard.confirm(signal);
  t.false(again.lost.aborted);
});
