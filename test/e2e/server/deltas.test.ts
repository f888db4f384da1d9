import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { newFolder } from "../../support/folders.js";
import { type Fault, FaultyProxy } from "../../support/network/faulty-proxy.js";
import { ALONE, logOf, QUICK, streamsIn, untilDurable } from "../../support/program/delta-log.js";
import { RunningServer } from "../../support/program/running-server.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { bothStores, bucketStore, folderStore } from "../../support/stores/flags.js";
import { newBucket, radosgw } from "../../support/stores/s3-buckets.js";

test("what is written to etcd is in the log of both stores, across kill -9, a stop and a full backup", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const folders = { primary: newFolder(), secondary: newFolder() };
  const [primary, secondary] = [folderStore(folders.primary), folderStore(folders.secondary)];
  const { flags, env } = bothStores(primary, secondary);
  const args = [...flags, ...ALONE, ...QUICK, "--etcd", etcd.endpoint];
  let written = 0;
  const write = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++)
      await etcd.put(Buffer.from("key"), Buffer.from(`#${++written}#`));
  };
  await write(1);
  const base = await etcd.revision();

  let server = await RunningServer.start(args, env);
  t.teardown(() => server.stop("SIGKILL"));
  await server.logged("A stream of deltas has a base");
  await write(20);
  await untilDurable(server, etcd);
  await write(5);
  await server.stop("SIGKILL");

  // What the killed one had read and not written comes again.
  await write(5);
  server = await RunningServer.start(args, env);
  await untilDurable(server, etcd);
  t.falsy(server.log.find(({ msg }) => msg === "A stream of deltas has a base"));

  // Another stream begins right after a full backup.
  await server.until("the job", async () => (await server.post("/snapshot/full")).status === 202);
  await server.logged("Job done", ({ job }) => job === "full");
  await write(5);
  const durable = await untilDurable(server, etcd);
  // What was written since the store was listed is named with the newest backup.
  await server.until("the deltas after the newest backup", async () => {
    await write(1);
    const { deltas } = await server.latest();
    return (deltas?.streams.at(-1)?.last ?? 0) >= durable;
  });
  // It is compared with the base of the first stream and the deltas after it.
  const proven = await server.until("the proof", async () => {
    const { provenRevision, proof } = (await server.status()).deltas;
    t.not(proof?.outcome, "differs", proof?.message);
    return provenRevision;
  });
  t.true(proven > base + 25);
  await write(3);
  t.is(await server.stop(), 0, server.output);

  const end = await etcd.revision();
  for (const folder of Object.values(folders)) {
    const store = folderStore(folder);
    const log = await logOf(store, base, end);
    t.deepEqual(
      [...log.keys()],
      Array.from({ length: end - base }, (_, i) => base + 1 + i),
    );
    for (const [revision, value] of log) t.true(value.includes(`#${revision - base + 1}#`));
    const streams = await streamsIn(store);
    t.true(streams.length >= 3, `${streams.map(({ name }) => name.text)}`);
    t.is(streams.filter(({ base: own }) => own !== undefined).length, 1);
    t.true(streams.every(({ gaps, problem }) => gaps.length === 0 && problem === undefined));
    const fulls = readdirSync(folder).filter((name) => name.startsWith("Full-"));
    const begun = fulls.map((name) => Number(name.split("-")[2]) + 1);
    t.true(streams.some(({ name }) => begun.includes(name.firstRevision)));
  }
});

test("an etcd that was restored to its past begins another history, and lost revisions are named", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const store = folderStore(newFolder());
  const args = [...store.flags(), ...ALONE, ...QUICK, "--etcd", etcd.endpoint];
  const write = async (count: number, text: string): Promise<void> => {
    for (let i = 0; i < count; i++) await etcd.put(Buffer.from("key"), Buffer.from(`${text}${i}`));
  };
  await write(5, "first");
  const saved = join(newFolder(), "saved.db");
  await etcd.ctl("snapshot", "save", saved);
  let server = await RunningServer.start(args, store.env());
  t.teardown(() => server.stop("SIGKILL"));
  await server.logged("A stream of deltas has a base");
  await write(20, "second");
  await untilDurable(server, etcd);

  // The cluster keeps its id, and its revisions grow past those of before.
  await etcd.restoreFrom(saved);
  await write(40, "third");
  await server.until(
    "another base",
    async () =>
      server.log.filter(({ msg }) => msg === "A stream of deltas has a base").length === 2,
  );
  await write(3, "fourth");
  const revision = await untilDurable(server, etcd);
  const status = await server.status();
  t.is(status.deltas.sites.primary?.durableRevision, revision);
  t.regex(status.deltas.lastBreak?.reason ?? "", /history|restored|revision/);
  t.is(await server.stop(), 0);

  // Compacted while no server ran.
  await write(30, "fifth");
  const compacted = (await etcd.revision()) - 5;
  await etcd.ctl("compact", String(compacted));
  server = await RunningServer.start(args, store.env());
  const lost = await server.until("lost revisions", async () =>
    server.log.find(({ msg }) => msg.startsWith("Revisions of etcd are lost")),
  );
  t.deepEqual([lost["first"], lost["last"]], [revision + 1, compacted - 1]);
  await write(2, "sixth");
  await untilDurable(server, etcd);
  t.regex(await server.text("/metrics"), /^backuptool_delta_bases_total 1$/m);
  t.is(await server.stop(), 0);
});

test("a store that is down is caught up from the other one, whichever it is", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  for (const down of ["secondary", "primary"] as const) {
    let fault: Fault | undefined;
    const proxy = await FaultyProxy.start(radosgw().endpoint, () => fault);
    const behind = bucketStore(await newBucket(), { endpoint: proxy.url });
    const other = folderStore(newFolder());
    const { flags, env } =
      down === "secondary" ? bothStores(other, behind) : bothStores(behind, other);
    const server = await RunningServer.start(
      [...flags, ...ALONE, ...QUICK, "--etcd", etcd.endpoint, "--max-delta-age-alert", "2s"],
      env,
    );
    try {
      await etcd.put(Buffer.from("key"), Buffer.from("before"));
      await untilDurable(server, etcd);
      fault = { kind: "status", status: 503 };
      await etcd.put(Buffer.from("key"), Buffer.from("during"));
      const revision = await etcd.revision();
      await server.until("the other store", async () => {
        const { deltas } = await server.status();
        const [here, there] = [deltas.sites[down], deltas.sites[otherOf(down)]];
        return (there?.durableRevision ?? 0) >= revision && (here?.oldestSeconds ?? 0) > 3;
      });
      t.true(((await server.status()).deltas.sites[down]?.durableRevision ?? 0) < revision);
      await server.until("an alert", async () =>
        server.log.some(({ msg }) => msg.startsWith(`Alert: the ${down} store lacks changes`)),
      );
      fault = undefined;
      await untilDurable(server, etcd);
      t.is((await server.status()).deltas.sites[down]?.oldestSeconds, 0);
    } finally {
      t.is(await server.stop(), 0);
      await proxy.close();
    }
  }
});

function otherOf(site: "primary" | "secondary"): "primary" | "secondary" {
  return site === "primary" ? "secondary" : "primary";
}

test("a login that is not root gets no deltas, with a clear status, and backups go on", async (t) => {
  const etcd = await EtcdServer.start([], ["--user", "root:root"]);
  t.teardown(() => etcd.stop());
  for (const command of [
    "user add root:root --interactive=false",
    "user add backup:secret --interactive=false",
    "role add reader",
    "role grant-permission reader readwrite app/ app0",
    "user grant-role root root",
    "user grant-role backup reader",
    "auth enable",
  ]) {
    await etcd.ctl(...command.split(" "));
  }
  const store = folderStore(newFolder());
  const server = await RunningServer.start(
    [...store.flags(), ...ALONE, ...QUICK, "--etcd", etcd.endpoint],
    { ...store.env(), BACKUPTOOL_USER: "backup", BACKUPTOOL_PASSWORD: "secret" },
  );
  try {
    await server.until(
      "denied deltas",
      async () => (await server.status()).deltas.state === "denied",
    );
    await server.until("an alert", async () =>
      server.log.some(({ msg }) => msg.includes("may not read all keys")),
    );
    const answer = await server.post("/snapshot/delta");
    t.is(answer.status, 503);
    t.regex(await answer.text(), /denied/);
  } finally {
    t.is(await server.stop(), 0);
  }
});

test("deltas that are off are off, and a reload turns them on", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const folder = newFolder();
  const store = folderStore(folder);
  const config = join(newFolder(), "server.yaml");
  const settings = (period: string): void =>
    writeFileSync(
      config,
      `store: file://${folder}\netcd: ${etcd.endpoint}\nskip-ceph: true\nleader-election: false\ndelta-snapshot-period: ${period}\n`,
    );
  settings("off");
  const server = await RunningServer.start(["--config", config]);
  try {
    await server.logged("Backup stored");
    t.is((await server.status()).deltas.state, "off");
    t.is((await server.post("/snapshot/delta")).status, 409);
    t.deepEqual(await streamsIn(store), []);
    settings("10m");
    server.signal("SIGHUP");
    await server.until(
      "the watch",
      async () => (await server.status()).deltas.state === "following",
    );
    await etcd.put(Buffer.from("key"), Buffer.from("value"));
    const revision = await etcd.revision();
    await server.until("the change", async () => {
      return ((await server.status()).deltas.readRevision ?? 0) >= revision;
    });
    // Not before its time, unless a call asks for it.
    t.true(((await server.status()).deltas.sites.primary?.durableRevision ?? 0) < revision);
    t.is((await server.post("/snapshot/delta")).status, 202);
    await untilDurable(server, etcd);
  } finally {
    t.is(await server.stop(), 0);
  }
});
