import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { ForgettingProxy } from "../../../support/network/forgetting-proxy.js";
import { EtcdMembers } from "../../../support/servers/etcd-members.js";
import type { MemberProcess } from "../../../support/servers/member-process.js";
import { CollectedLog } from "../../../support/watch/collected-log.js";
import { databaseHistory, watchedHistory } from "../../../support/watch/database-history.js";
import { RandomWrites } from "../../../support/watch/random-writes.js";

interface Cluster {
  readonly members: EtcdMembers;
  readonly log: CollectedLog;
  readonly random: RandomWrites;
  /** In front of the clients' port of each member. */
  readonly proxies: ReadonlyMap<MemberProcess, ForgettingProxy>;
  /** The member that the watch is at. */
  watched(): MemberProcess;
}

/** Three members behind proxies, with a watch of all keys, while keys are written. */
async function cluster(t: ExecutionContext): Promise<Cluster> {
  const members = await EtcdMembers.start();
  t.teardown(() => members.kill());
  const proxies = new Map<MemberProcess, ForgettingProxy>();
  for (const member of members.all) {
    const proxy = await ForgettingProxy.start(member.endpoint);
    t.teardown(() => proxy.close());
    proxies.set(member, proxy);
  }
  const endpoints = [...proxies.values()].map(({ endpoint }) => endpoint);
  const limits = { checkMs: 200, stuckMs: 1500 };
  const log = await CollectedLog.start({ endpoints, timeoutMs: 5000 }, { after: 1, limits });
  t.teardown(() => log.stop());
  const random = new RandomWrites(members.endpoints, t.title, 200_000);
  t.teardown(() => random.close());
  const watched = (): MemberProcess => {
    for (const [member, { endpoint }] of proxies)
      if (endpoint === log.watch.endpoint) return member;
    return members.member(1);
  };
  await random.make(20);
  return { members, log, random, proxies, watched };
}

/** The log is the history that every member has in its database. */
async function isWhole(t: ExecutionContext, { members, log, random }: Cluster): Promise<void> {
  await members.untilHealthy();
  await random.make(10);
  const last = await log.watch.currentRevision(new AbortController().signal);
  await log.until(last);
  const watched = watchedHistory(log.revisions);
  t.deepEqual(
    [...watched.keys()],
    Array.from({ length: last - 1 }, (_, i) => i + 2),
  );
  for (const { endpoint } of members.all) t.deepEqual(await databaseHistory(endpoint), watched);
}

test("the log stays whole while members, the leader too, are killed in turn", async (t) => {
  const all = await cluster(t);
  const { members, random, watched } = all;
  for (const victim of [watched, () => members.leader()]) {
    const member = await victim();
    const writing = random.make(60);
    await member.kill();
    await writing;
    member.launch();
    await member.untilHealthy();
  }
  await isWhole(t, all);
  t.true(all.log.problems.length > 0);
});

test("the log goes on when the watched member is stopped in place, or its connections are forgotten", async (t) => {
  const all = await cluster(t);
  const { log, random, proxies, watched } = all;
  const stopped = watched();
  stopped.pause();
  t.teardown(() => stopped.resume());
  await random.make(40);
  // Without the member: it is stopped for as long as the watch needs to leave it.
  await log.until(await log.watch.currentRevision(new AbortController().signal));
  t.not(watched(), stopped);
  stopped.resume();
  const proxy = proxies.get(watched());
  if (proxy === undefined) return t.fail();
  proxy.forgetsNew = true;
  proxy.forget();
  await random.make(40);
  await log.until(await log.watch.currentRevision(new AbortController().signal));
  proxy.forgetsNew = false;
  await isWhole(t, all);
});

test("a member that is cut off from the others has nothing to add, and the log goes on at another one", async (t) => {
  const all = await cluster(t);
  const { members, log, random, watched } = all;
  const alone = watched();
  const others = members.all.filter((member) => member !== alone);
  // Two of three stopped: the watched member has no quorum, and loses its leader.
  for (const member of others) member.pause();
  t.teardown(() => {
    for (const member of others) member.resume();
  });
  // What was sent before may still arrive.
  await sleep(1000);
  const before = log.watch.covered;
  await sleep(2000);
  t.is(log.watch.covered, before);
  alone.pause();
  for (const member of others) member.resume();
  await random.make(40);
  await log.until(await log.watch.currentRevision(new AbortController().signal));
  t.true(log.watch.covered > before);
  t.not(watched(), alone);
  alone.resume();
  await isWhole(t, all);
});
