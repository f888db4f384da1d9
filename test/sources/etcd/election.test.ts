import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { Election, type ElectionOptions } from "../../../src/sources/etcd/election.js";
import type { EtcdError } from "../../../src/sources/etcd/errors.js";
import { Candidates } from "../../support/election/candidates.js";
import { newFolder } from "../../support/folders.js";
import { ForgettingProxy } from "../../support/network/forgetting-proxy.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

/** Of processes that are stopped or cut off: they campaign again when a busy machine has cost them a leadership. */
const TTL_MS = 4000;
/** Where nothing waits for the end of a lease: calls may take a quarter of it. */
const LONG_TTL_MS = 20_000;
const { signal } = new AbortController();
let shared: EtcdServer;
let keys = 0;

test.before(async () => {
  shared = await EtcdServer.start();
});
test.after.always(() => shared?.stop());

async function ownEtcd(t: ExecutionContext): Promise<EtcdServer> {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  return etcd;
}

function candidates(t: ExecutionContext): Candidates {
  const all = new Candidates(TTL_MS);
  t.teardown(() => all.stop());
  return all;
}

async function candidate(t: ExecutionContext, options: Partial<ElectionOptions> = {}) {
  const chosen = {
    key: `key-${++keys}`,
    identity: "one",
    ttlMs: LONG_TTL_MS,
    settleMs: 0,
    ...options,
  };
  const election = await Election.open({ endpoints: [shared.endpoint] }, chosen, signal);
  t.teardown(() => election.close());
  return { election, key: chosen.key };
}

test("one of two candidates leads, and the other one follows when it resigns", async (t) => {
  const { election: one, key } = await candidate(t, { url: "http://one" });
  const { election: two } = await candidate(t, { key, identity: "two" });
  t.is(await two.current(signal), undefined);
  const first = await one.campaign(signal);
  t.true(first.held());
  await first.confirm(signal);
  t.deepEqual(await two.current(signal), { identity: "one", url: "http://one" });
  const campaign = two.campaign(signal);
  await sleep(300);
  await one.resign();
  t.false(first.held());
  t.throws(() => first.check(), { code: "NOT_LEADER", message: /resigned/ });
  await t.throwsAsync(first.confirm(signal), { code: "NOT_LEADER" });
  t.true(first.lost.aborted);
  const second = await campaign;
  t.true(second.term > first.term);
  t.deepEqual(await one.current(signal), { identity: "two" });
});

test("a campaign that is interrupted leaves no key, also while it waits to lead", async (t) => {
  const { election, key } = await candidate(t, { settleMs: 60_000 });
  const stop = new AbortController();
  const campaign = election.campaign(stop.signal);
  while ((await election.current(signal)) === undefined) await sleep(50);
  stop.abort();
  await t.throwsAsync(campaign, { code: "INTERRUPTED" });
  t.is(await election.current(signal), undefined);
  const { election: other } = await candidate(t, { key });
  t.true((await other.campaign(signal)).held());
});

test("a leadership ends when its key is deleted, or created again by another one", async (t) => {
  const { election, key } = await candidate(t);
  const first = await election.campaign(signal);
  await shared.ctl("del", key);
  await sleep(1100);
  await t.throwsAsync(first.confirm(signal), {
    code: "NOT_LEADER",
    message: /key in etcd is gone/,
  });
  t.false(first.held());
  const second = await election.campaign(signal);
  await shared.ctl("del", key);
  await shared.ctl("put", key, "a stranger's text");
  // Also without a call of its methods.
  while (!second.lost.aborted) await sleep(50);
  t.throws(() => second.check(), { code: "NOT_LEADER" });
});

test("a key without a lease, as a restore may leave it, is replaced", async (t) => {
  const { election, key } = await candidate(t);
  await shared.ctl("put", key, '{"identity":"of a backup"}');
  t.deepEqual(await election.current(signal), { identity: "of a backup" });
  t.true((await election.campaign(signal)).held());
  t.deepEqual(await election.current(signal), { identity: "one" });
});

test("a value that this program did not write is shown in a bounded form", async (t) => {
  const { election, key } = await candidate(t);
  for (const value of [
    "x".repeat(100_000),
    '{"identity":5}',
    "[1]",
    "null",
    '{"identity":"a","url":7}',
  ]) {
    await shared.ctlWith(value, "put", key);
    const leader = await election.current(signal);
    t.true((leader?.identity.length ?? 0) <= 200);
    t.is(leader?.url, undefined);
  }
});

test("a login that etcd rejects is an error of the campaign, and an etcd that is down is not", async (t) => {
  const down = await ownEtcd(t);
  await down.stop();
  const problems: string[] = [];
  const options = { key: "k", identity: "one", ttlMs: 8000, settleMs: 0 };
  const election = await Election.open(
    { endpoints: [down.endpoint] },
    { ...options, onProblem: ({ code }) => problems.push(code) },
    signal,
  );
  t.teardown(() => election.close());
  const campaign = election.campaign(signal);
  while (problems.length < 3) await sleep(50);
  t.true(problems.includes("ETCD_UNAVAILABLE"), problems.join());
  await down.start();
  t.true((await campaign).held());
  await down.ctl("user", "add", "root:secret");
  await down.ctl("user", "grant-role", "root", "root");
  await down.ctl("auth", "enable");
  const { endpoint } = down;
  const login = { endpoints: [endpoint], user: "root", password: "wrong" };
  await t.throwsAsync(Election.open(login, options, signal), { code: "ETCD_AUTH" });
});

test("a user who may only read gets to know which key it must write", async (t) => {
  const etcd = await ownEtcd(t);
  for (const command of [
    "role add reader",
    "role grant-permission reader read --prefix=true \0",
    "user add root:secret",
    "user grant-role root root",
    "user add backup:secret",
    "user grant-role backup reader",
    "auth enable",
  ]) {
    const words = command.split(" ").map((word) => (word === "\0" ? "" : word));
    await etcd.ctl(...words);
  }
  const login = { endpoints: [etcd.endpoint], user: "backup", password: "secret" };
  const election = await Election.open(
    login,
    { key: "/the/key", identity: "one", ttlMs: LONG_TTL_MS },
    signal,
  );
  t.teardown(() => election.close());
  const error = await t.throwsAsync<EtcdError>(election.campaign(signal), { code: "ETCD_AUTH" });
  t.regex(error?.hint ?? "", /writes the key \/the\/key/);
});

test("a campaign goes on in a cluster that was restored under another id", async (t) => {
  const etcd = await ownEtcd(t);
  const saved = join(newFolder(), "snapshot");
  await etcd.ctl("snapshot", "save", saved);
  const options = { key: "k", identity: "one", ttlMs: 8000, settleMs: 0 };
  const election = await Election.open({ endpoints: [etcd.endpoint] }, options, signal);
  t.teardown(() => election.close());
  const first = await election.campaign(signal);
  await etcd.restoreFrom(saved, "another");
  while (!first.lost.aborted) await sleep(50);
  t.true((await election.campaign(signal)).held());
  t.deepEqual(await election.current(signal), { identity: "one" });
});

test("when the leader is killed, another one takes over once its lease has ended", async (t) => {
  const all = candidates(t);
  const etcd = await ownEtcd(t);
  all.start("a", etcd.endpoint);
  all.start("b", etcd.endpoint);
  for (let round = 0; round < 2; round++) {
    const leader = await all.nextLeader();
    all.signal(leader, "SIGKILL");
    const next = await all.nextLeader([leader]);
    t.not(next, leader);
    all.start(leader, etcd.endpoint);
  }
  t.deepEqual(all.overlaps, []);
});

test("a leader that is stopped and continued later does not lead again before the one that took over", async (t) => {
  const all = candidates(t);
  const etcd = await ownEtcd(t);
  all.start("a", etcd.endpoint);
  t.is(await all.nextLeader(), "a");
  all.start("b", etcd.endpoint);
  all.signal("a", "SIGSTOP");
  t.is(await all.nextLeader(["a"]), "b");
  all.signal("a", "SIGCONT");
  await sleep(TTL_MS / 2);
  t.deepEqual(all.overlaps, []);
  all.signal("b", "SIGTERM");
  t.is(await all.nextLeader(["b"]), "a");
  t.deepEqual(all.overlaps, []);
});

test("no process leads while etcd is down, and one does afterwards", async (t) => {
  const all = candidates(t);
  const etcd = await ownEtcd(t);
  all.start("a", etcd.endpoint);
  all.start("b", etcd.endpoint);
  await all.nextLeader();
  await etcd.stop();
  await sleep(TTL_MS);
  const before = all.terms;
  await sleep(500);
  t.deepEqual(all.terms, before);
  await etcd.start();
  await all.nextLeader();
  t.deepEqual(all.overlaps, []);
});

test("an etcd that is restored to a time without a leader has no second one beside the first", async (t) => {
  const all = candidates(t);
  const etcd = await ownEtcd(t);
  const saved = join(newFolder(), "snapshot");
  await etcd.ctl("snapshot", "save", saved);
  const proxy = await ForgettingProxy.start(etcd.endpoint);
  t.teardown(() => proxy.close());
  all.start("a", proxy.endpoint);
  t.is(await all.nextLeader(), "a");
  // The first leader does not hear that its key is not there any more.
  proxy.forgetsNew = true;
  proxy.forget();
  await etcd.restoreFrom(saved);
  all.start("b", etcd.endpoint);
  t.is(await all.nextLeader(["a"]), "b");
  t.deepEqual(all.overlaps, []);
});

test("a leader behind a partition ends before another one begins", async (t) => {
  const all = candidates(t);
  const etcd = await ownEtcd(t);
  const proxy = await ForgettingProxy.start(etcd.endpoint);
  t.teardown(() => proxy.close());
  all.start("a", proxy.endpoint);
  t.is(await all.nextLeader(), "a");
  all.start("b", etcd.endpoint);
  proxy.forgetsNew = true;
  proxy.forget();
  t.is(await all.nextLeader(["a"]), "b");
  proxy.forgetsNew = false;
  await sleep(TTL_MS / 2);
  all.signal("b", "SIGKILL");
  t.is(await all.nextLeader(["b"]), "a");
  t.deepEqual(all.overlaps, []);
});
