import type { ChildProcess } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { dirname, join as path } from "node:path";
import test, { type ExecutionContext } from "ava";
import { dataOfFile } from "../../../src/operations/members/founder-data.js";
import { restoreFounder } from "../../../src/operations/members/founder.js";
import { clusterAtPeerUrl } from "../../../src/sources/etcd/members/peer-probe.js";
import { newFolder } from "../../support/folders.js";
import { backuptool } from "../../support/program/backuptool.js";
import { EtcdMembers } from "../../support/servers/etcd-members.js";
import {
  environmentFile,
  join,
  memberFlags,
  startAsWritten,
} from "../../support/servers/joining-machine.js";
import { type MemberProcess, until } from "../../support/servers/member-process.js";

async function started(t: ExecutionContext): Promise<{ cluster: EtcdMembers; snapshot: string }> {
  const cluster = await EtcdMembers.start();
  t.teardown(() => cluster.kill());
  await cluster.ctl(["put", "a key", "a value"]);
  const snapshot = path(newFolder(), "snapshot.db");
  await cluster.ctl(["snapshot", "save", snapshot], cluster.member(1));
  return { cluster, snapshot };
}

const REPLACE = ["--replace", "--replace-after", "1s"];

const founder = (
  cluster: EtcdMembers,
  member: MemberProcess,
  snapshot: string,
  ...flags: string[]
) =>
  backuptool([
    ...["etcd", "restore-founder", "--json", "--snapshot-file", snapshot],
    ...memberFlags(cluster, member),
    ...flags,
  ]);

const status = (cluster: EtcdMembers, ...flags: string[]) =>
  backuptool(["etcd", "status", "--etcd", cluster.endpoints.join(","), ...flags]);

async function isWell(t: ExecutionContext, cluster: EtcdMembers): Promise<void> {
  const { code, stdout } = await status(cluster, "--initial-cluster", cluster.initialCluster);
  t.is(code, 0, stdout.toString());
  t.regex(stdout.toString(), /3 members, led by m\d/);
  for (const member of cluster.all) {
    t.is(await cluster.ctl(["get", "a key", "--print-value-only"], member), "a value\n");
  }
}

test("a cluster that is lost comes back: a founder first, then the others, which join at the same time", async (t) => {
  const { cluster, snapshot } = await started(t);
  const [m1, m2, m3] = [cluster.member(1), cluster.member(2), cluster.member(3)];
  for (const member of cluster.all) await member.lose();
  t.is((await status(cluster)).code, 1);
  // As a package has made it, with what a restore that was killed has left.
  mkdirSync(path(m1.dataDir, ".m1.unfinished-00"), { recursive: true });
  const restored = await founder(cluster, m1, snapshot);
  t.is(restored.code, 0, restored.stderr);
  t.deepEqual(readdirSync(dirname(m1.dataDir)).sort(), ["m1", "m1.env"]);
  t.deepEqual(readdirSync(m1.dataDir), ["member"]);
  startAsWritten(m1);
  // A founder that loses its data again begins no empty cluster.
  await m1.lose();
  startAsWritten(m1);
  await until("etcd of the founder has ended", async () => !m1.isRunning);
  t.regex(m1.log, /cannot fetch cluster info/);
  await m1.lose();
  t.is((await founder(cluster, m1, snapshot)).code, 0);
  startAsWritten(m1);
  // The founder is not up yet.
  const joined = await Promise.all([join(cluster, m2), join(cluster, m3)]);
  for (const { code, stderr } of joined) t.is(code, 0, stderr);
  await isWell(t, cluster);
  const again = await join(cluster, m2);
  t.is(again.code, 0);
  t.deepEqual(
    again.events.map(({ type }) => type),
    ["member-joined"],
  );
});

test("a founder is not made beside a member that is up, over data, or with a token that was used", async (t) => {
  const { cluster, snapshot } = await started(t);
  const [m1, m2] = [cluster.member(1), cluster.member(2)];
  const overData = await founder(cluster, m1, snapshot);
  t.is(overData.code, 1);
  t.regex(overData.stdout.toString(), /"ETCD_DATA_DIR_EXISTS".*has the data of member/);
  await m1.lose();
  const alive = await founder(cluster, m1, snapshot);
  t.regex(alive.stdout.toString(), /"ETCD_MEMBER_ALIVE".*is alive at .*backuptool etcd join/);
  await m2.lose();
  await until("the survivor knows of no leader", async () =>
    /without a leader/.test((await status(cluster)).stdout.toString()),
  );
  const survivor = await founder(cluster, m1, snapshot);
  t.regex(survivor.stdout.toString(), /"ETCD_MEMBER_ALIVE".*no leader.*may be newer than a backup/);
  await cluster.kill();
  // A survivor that starts without a leader answers other members alone.
  const m3 = cluster.member(3);
  m3.launch();
  await until("the survivor answers other members", async () => {
    return (await clusterAtPeerUrl(m3.peerUrl, new AbortController().signal)) !== undefined;
  });
  const waking = await founder(cluster, m1, snapshot, "--initial-cluster", cluster.initialCluster);
  t.regex(waking.stdout.toString(), /"ETCD_MEMBER_ALIVE".*:2380 is up/);
  await m3.kill();
  // The token of etcd's default, with which the members of this cluster were made.
  const reused = await founder(cluster, m1, snapshot, "--initial-cluster-token", "etcd-cluster");
  t.is(reused.code, 2);
  t.regex(reused.stdout.toString(), /was founded with the token \\"etcd-cluster\\"/);
  t.false(existsSync(m1.dataDir));
  t.false(existsSync(environmentFile(m1)));
  // The data of the survivor, which has no hash.
  const database = path(m3.dataDir, "member", "snap", "db");
  t.is((await founder(cluster, m1, database)).code, 1);
  const unchecked = await founder(cluster, m1, database, "--skip-hash-check");
  t.is(unchecked.code, 0, unchecked.stderr);
});

test("a member that comes up while the data is made keeps the founder from being made", async (t) => {
  const { cluster, snapshot } = await started(t);
  const [m1, m2] = [cluster.member(1), cluster.member(2)];
  await cluster.kill();
  await m1.lose();
  const options = {
    name: m1.name,
    peerUrls: [m1.peerUrl],
    dataDir: m1.dataDir,
    etcd: { endpoints: cluster.endpoints },
    former: [m2.peerUrl],
    presumedLost: [],
    environmentFile: environmentFile(m1),
  };
  const { signal } = new AbortController();
  const context = { signal, report: () => {} };
  const writeData = dataOfFile(
    { path: snapshot, skipHashCheck: false, unknownLeaseTtlSeconds: 60 },
    context,
  );
  const waking = restoreFounder(
    options,
    async (out, checkBase) => {
      const revision = await writeData(out, checkBase);
      m2.launch();
      await until("a former member answers others", async () => {
        return (await clusterAtPeerUrl(m2.peerUrl, signal)) !== undefined;
      });
      return revision;
    },
    context,
  );
  await t.throwsAsync(waking, { code: "ETCD_MEMBER_ALIVE", message: /:2380 is up/ });
  t.false(existsSync(m1.dataDir));
  t.deepEqual(
    readdirSync(dirname(m1.dataDir)).filter((name) => /m1/.test(name)),
    [],
  );
});

test("a founder that is killed while its data is made is made again, and never by two runs at once", async (t) => {
  const { cluster, snapshot } = await started(t);
  const m1 = cluster.member(1);
  for (const member of cluster.all) await member.lose();
  // In the place of etcdutl, a program that begins a data dir and stays there.
  const bin = newFolder();
  const script = `#!/bin/sh\nfor word; do case $word in --data-dir=*) mkdir -p "\${word#*=}/member";; esac; done\necho $$ > "${bin}/pid"\nexec sleep 600\n`;
  writeFileSync(path(bin, "etcdutl"), script, { mode: 0o755 });
  const pid = path(bin, "pid");
  const args = ["etcd", "restore-founder", "--json", "--snapshot-file", snapshot];
  let child: ChildProcess | undefined;
  const killed = backuptool([...args, ...memberFlags(cluster, m1)], {
    env: { PATH: `${bin}:${process.env["PATH"]}` },
    onStart: (started) => {
      child = started;
    },
  });
  await until("the data dir is begun", async () => existsSync(pid));
  const other = await founder(cluster, m1, snapshot);
  t.is(other.code, 2);
  t.regex(other.stdout.toString(), /another process works on/);
  child?.kill("SIGKILL");
  process.kill(Number(readFileSync(pid, "utf8")), "SIGKILL");
  await killed;
  const left = (): string[] => readdirSync(dirname(m1.dataDir)).sort();
  t.true(left().some((name) => name.startsWith(".m1.unfinished-")));
  t.false(existsSync(m1.dataDir));
  const again = await founder(cluster, m1, snapshot);
  t.is(again.code, 0, again.stderr);
  t.deepEqual(left(), ["m1", "m1.env"]);
  startAsWritten(m1);
  await m1.untilHealthy();
});

test("a member whose disk was lost is replaced, when that is asked for, and never one that is up", async (t) => {
  const { cluster } = await started(t);
  const m3 = cluster.member(3);
  const flags = memberFlags(cluster, m3).map((flag) => (flag === m3.dataDir ? newFolder() : flag));
  const elsewhere = await backuptool(["etcd", "join", "--json", ...flags, "--replace"]);
  t.is(elsewhere.code, 1);
  t.regex(elsewhere.stdout.toString(), /"ETCD_MEMBER_ALIVE"/);
  await m3.lose();
  const listed = await join(cluster, m3);
  t.is(listed.code, 1);
  t.regex(listed.stdout.toString(), /"ETCD_MEMBER_LISTED".*--replace/);
  // It restarts: its log is read before it answers.
  const [, host = "", port] = /^http:..(.*):(\d+)$/.exec(m3.peerUrl) ?? [];
  const starting = createServer((socket) => socket.on("error", () => {}).destroy());
  await once(starting.listen(Number(port), host), "listening");
  const early = await join(cluster, m3, [...REPLACE, "--join-timeout", "3s"]);
  t.regex(early.stdout.toString(), /"ETCD_JOIN_TIMEOUT".*did not go down/);
  starting.close();
  const { code, stderr } = await join(cluster, m3, REPLACE);
  t.is(code, 0, stderr);
  await isWell(t, cluster);
});

test("a join that is killed after each of its steps goes on where it was", async (t) => {
  const { cluster } = await started(t);
  const m2 = cluster.member(2);
  await m2.lose();
  const killedAt: string[] = [];
  for (;;) {
    const { code } = await join(cluster, m2, REPLACE, ({ type }, child) => {
      if (killedAt.includes(type) || type === "progress") return;
      killedAt.push(type);
      child.kill("SIGKILL");
    });
    if (code === 0) break;
    t.true(killedAt.length < 10);
  }
  t.true(killedAt.includes("member-removed"), `${killedAt}`);
  // A run may do the next step before the signal reaches it, and not live to report it.
  t.true(killedAt.length >= 3, `${killedAt}`);
  await isWell(t, cluster);
});

test("a join waits for an etcd that has not made its log yet", async (t) => {
  const { cluster } = await started(t);
  const m2 = cluster.member(2);
  await m2.lose();
  const folder = path(m2.dataDir, "member");
  const { code, events } = await join(
    cluster,
    m2,
    REPLACE,
    (event) => {
      if (event.type !== "member-waiting" || !/no log in/.test(JSON.stringify(event))) return;
      rmSync(folder, { recursive: true });
      startAsWritten(m2);
    },
    // As etcd begins.
    () => mkdirSync(path(folder, "snap"), { recursive: true }),
  );
  t.is(code, 0, JSON.stringify(events));
  await isWell(t, cluster);
});

test("data of a former cluster does not come back, and its member that wakes up disturbs nobody", async (t) => {
  const { cluster, snapshot } = await started(t);
  const [m1, m2, m3] = [cluster.member(1), cluster.member(2), cluster.member(3)];
  await cluster.kill();
  renameSync(m1.dataDir, `${m1.dataDir}-former`);
  t.is((await founder(cluster, m1, snapshot)).code, 0);
  startAsWritten(m1);
  await m1.untilHealthy();
  const former = await join(cluster, m2);
  t.is(former.code, 1);
  t.regex(former.stdout.toString(), /"ETCD_WRONG_CLUSTER".*must not come back/);
  await m2.lose();
  t.is((await join(cluster, m2)).code, 0);
  // It knows the others by their former ids alone.
  m3.launch();
  const { code, stdout } = await status(cluster);
  t.is(code, 0);
  const [, clusterId = ""] = /^cluster (\w+), 2 members, led by m\d/.exec(stdout.toString()) ?? [];
  const { signal } = new AbortController();
  await until("the former member answers other members", async () => {
    const itsCluster = await clusterAtPeerUrl(m3.peerUrl, signal);
    return itsCluster !== undefined && itsCluster !== clusterId;
  });
  t.is((await status(cluster)).code, 0);
  await cluster.ctl(["put", "a key", "a value"], m1);
  const awake = await join(cluster, m3);
  t.regex(awake.stdout.toString(), /"ETCD_WRONG_CLUSTER"/);
  await m3.lose();
  t.is((await join(cluster, m3)).code, 0);
  await isWell(t, cluster);
});

test("a cluster with users is joined with the login of root, and its status needs none", async (t) => {
  const { cluster } = await started(t);
  const m3 = cluster.member(3);
  await cluster.ctl(["user", "add", "root:secret"]);
  await cluster.ctl(["user", "grant-role", "root", "root"]);
  await cluster.ctl(["auth", "enable"]);
  await m3.lose();
  const denied = await join(cluster, m3, REPLACE);
  t.is(denied.code, 1);
  t.regex(denied.stdout.toString(), /"ETCD_AUTH".*needs a user and a password/);
  t.is((await status(cluster)).code, 3);
  const { code, stdout } = await join(cluster, m3, [...REPLACE, "--user", "root:secret"]);
  t.is(code, 0, stdout.toString());
  t.is((await status(cluster)).code, 0);
});

test("a join says what it waits for, and ends when nothing changes", async (t) => {
  const { cluster } = await started(t);
  const [m2, m3] = [cluster.member(2), cluster.member(3)];
  await m3.lose();
  m2.pause();
  const flags = [...REPLACE, "--join-timeout", "2s", "--etcd-timeout", "1s"];
  const waiting = await join(cluster, m3, flags);
  t.is(waiting.code, 1);
  t.regex(waiting.stdout.toString(), /"ETCD_JOIN_TIMEOUT"/);
  m2.resume();
  t.is((await join(cluster, m3, REPLACE)).code, 0);
  await isWell(t, cluster);
});
