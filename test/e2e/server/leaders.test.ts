import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { newFolder } from "../../support/folders.js";
import { backuptool } from "../../support/program/backuptool.js";
import { RunningServer } from "../../support/program/running-server.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

let etcd: EtcdServer;

test.before(async () => {
  etcd = await EtcdServer.start();
  for (let i = 0; i < 4; i++) await etcd.put(Buffer.from(`key-${i}`), randomBytes(1_000_000));
});

test.after.always(() => etcd?.stop());

function flags(folder: string): string[] {
  return [
    ...["--store", `file://${folder}`, "--etcd", etcd.endpoint, "--skip-ceph"],
    ...["--leader-ttl", "2s", "--schedule", "*/8 * * * * *"],
    ...["--incremental-schedule", "*/2 * * * * *", "--garbage-collection-period", "3s"],
    ...["--garbage-collection-policy", "LimitBased", "--max-backups", "2"],
  ];
}

/** Every complete snapshot restores, and nothing is left of a backup that was cut off but unfinished files. */
async function allRestore(t: ExecutionContext, folder: string): Promise<void> {
  const store = ["--store", `file://${folder}`];
  const { stdout } = await backuptool(["snapshot", "list", ...store, "--json"]);
  const rows = stdout
    .toString()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === "snapshot");
  t.true(rows.length > 0);
  for (const { name, primary, baseName } of rows) {
    t.not(primary, "damaged", name);
    t.not(baseName, "missing", name);
    if (primary !== "complete") continue;
    const { code, stderr } = await backuptool(["inspect", ...store, "--snapshot", name]);
    t.is(code, 0, `${name}: ${stderr}`);
  }
}

/** Times, ms, at which a server began backups and stored them. */
function times(server: RunningServer, message: string): number[] {
  return server.log
    .filter(({ msg }) => msg === message)
    .map(({ time }) => Date.parse(String(time)));
}

test("a leader that is killed is followed by the other server, and nothing is lost", async (t) => {
  const folder = newFolder();
  const first = await RunningServer.start(flags(folder));
  await first.logged("This server leads");
  const second = await RunningServer.start(flags(folder));
  try {
    await first.logged("Backup stored");
    const follower = await second.status();
    t.false(follower.leader.isLeader);
    const found = await second.until("who leads", async () => {
      const { leader } = await second.status();
      return leader.current;
    });
    t.is(found.url, first.url);
    const answer = await second.post("/snapshot/full");
    t.is(answer.status, 503);
    t.true((await answer.text()).includes(first.url));

    await first.stop("SIGKILL");
    await second.logged("This server leads");
    await second.logged("Backup stored");
    t.deepEqual(times(first, "Backup stored").length > 0, true);
  } finally {
    await first.stop("SIGKILL");
    t.is(await second.stop(), 0);
  }
  await allRestore(t, folder);
});

test("a leader that was stopped and goes on after another leads writes nothing more", async (t) => {
  const folder = newFolder();
  const first = await RunningServer.start(flags(folder));
  await first.logged("This server leads");
  const second = await RunningServer.start(flags(folder));
  try {
    for (let round = 0; round < 2; round++) {
      const [leader, other] = round === 0 ? [first, second] : [second, first];
      await leader.until(
        "a backup of the leader",
        async () => times(leader, "Job begun").length > 0,
      );
      // Sometimes in the middle of a backup, a deletion, or neither.
      await sleep(300 * (round + 1));
      leader.signal("SIGSTOP");
      const before = times(other, "This server leads").length;
      await other.until(
        "the other to lead",
        async () => times(other, "This server leads").length > before,
      );
      await other.until("a backup of the other", async () =>
        times(other, "Backup stored").some((at) => at > Date.now() - 1000),
      );
      const resumed = Date.now();
      leader.signal("SIGCONT");
      await leader.logged(
        "This server no longer leads",
        ({ time }) => Date.parse(String(time)) >= resumed,
      );
      // It may lead again only once the other does not.
      const stored = times(leader, "Backup stored").filter((at) => at >= resumed);
      t.deepEqual(stored, [], leader.output);
    }
  } finally {
    await first.stop();
    await second.stop();
  }
  await allRestore(t, folder);
  t.true(readdirSync(folder).length > 0);
});

test("without etcd there is no leader and no write, and with it again there is one", async (t) => {
  const own = await EtcdServer.start();
  await own.put(Buffer.from("key"), Buffer.from("value"));
  const folder = newFolder();
  const args = flags(folder).map((flag) => (flag === etcd.endpoint ? own.endpoint : flag));
  const server = await RunningServer.start(args);
  try {
    await server.logged("Backup stored");
    await own.stop();
    await server.logged("This server no longer leads");
    const lost = Date.now();
    await sleep(5000);
    t.false((await server.status()).leader.isLeader);
    t.deepEqual(
      times(server, "Backup stored").filter((at) => at > lost),
      [],
    );
    t.regex(await server.text("/metrics"), /^backuptool_leader 0$/m);
    await own.start();
    await server.until("a backup after etcd came back", async () =>
      times(server, "Backup stored").some((at) => at > lost),
    );
  } finally {
    t.is(await server.stop(), 0);
    await own.stop();
  }
  await allRestore(t, folder);
});

/** From when to when, ms, a server said that it leads. */
function terms(server: RunningServer): { readonly from: number; readonly to: number }[] {
  const ends = times(server, "This server no longer leads");
  return times(server, "This server leads").map((from) => ({
    from,
    to: ends.find((end) => end >= from) ?? Number.POSITIVE_INFINITY,
  }));
}

test("after etcd was restored to the past, one server leads on, and never two", async (t) => {
  const own = await EtcdServer.start();
  t.teardown(() => own.stop());
  await own.put(Buffer.from("key"), Buffer.from("value"));
  const saved = join(newFolder(), "saved");
  await own.ctl("snapshot", "save", saved);
  const folder = newFolder();
  const args = flags(folder).map((flag) => (flag === etcd.endpoint ? own.endpoint : flag));
  const servers = [await RunningServer.start(args), await RunningServer.start(args)] as const;
  try {
    const [one] = servers;
    await one.until("a backup", async () =>
      servers.some((server) => times(server, "Backup stored").length > 0),
    );
    // It knows of no leader now.
    await own.restoreFrom(saved);
    const restored = Date.now();
    await one.until("a backup after that", async () =>
      servers.some((server) => times(server, "Backup stored").some((at) => at > restored + 2000)),
    );
    for (const term of terms(servers[0])) {
      for (const other of terms(servers[1])) {
        t.true(term.to <= other.from || other.to <= term.from, JSON.stringify({ term, other }));
      }
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
  await allRestore(t, folder);
});
