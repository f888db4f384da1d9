import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { doctor, failed } from "../../support/program/doctor.js";
import { EtcdServer, freePort } from "../../support/servers/etcd-server.js";

// Serial: each test runs the program, and some measure its time.

const ETCD_ALONE = ["--skip-ceph", "--outputdir", "."];

let etcd: EtcdServer;
test.before(async () => {
  etcd = await EtcdServer.start();
});
test.after.always(() => etcd?.stop());

test.serial("an etcd that is down fails, and one that answers passes", async (t) => {
  const down = `127.0.0.1:${await freePort()}`;
  const checks = await doctor(t, 1, [...ETCD_ALONE, "--etcd", `${down},${etcd.endpoint}`]);
  failed(t, checks.get(`etcd ${down}`), /^cannot connect: .*ECONNREFUSED/, /is etcd running there/);
  t.is(checks.get(`etcd ${etcd.endpoint}`)?.state, "ok");
});

test.serial("TLS to a server without it fails, with the endpoint to use", async (t) => {
  const endpoint = `https://${etcd.endpoint}`;
  const checks = await doctor(t, 1, [...ETCD_ALONE, "--etcd", endpoint]);
  failed(t, checks.get(`etcd ${endpoint}`), /cannot connect/, /write http:\/\//);
});

test.serial(
  "an etcd that needs a login fails, with the flags, and without the password",
  async (t) => {
    const guarded = await EtcdServer.start(["--bcrypt-cost", "4"], ["--user=root:secret"]);
    t.teardown(() => guarded.stop());
    await guarded.ctl("user", "add", "root:secret");
    await guarded.ctl("user", "grant-role", "root", "root");
    await guarded.ctl("auth", "enable");
    const args = [...ETCD_ALONE, "--etcd", guarded.endpoint];
    const name = `etcd ${guarded.endpoint}`;
    failed(t, (await doctor(t, 1, args)).get(name), /user name is empty/, /--user, --password/);
    const wrong = await doctor(t, 1, [...args, "--user", "root:quite-wrong"]);
    failed(t, wrong.get(name), /authentication failed/, /--user, --password/);
    t.false(JSON.stringify([...wrong]).includes("quite-wrong"));
    t.is((await doctor(t, 0, [...args, "--user", "root:secret"])).get(name)?.state, "ok");
  },
);

test.serial("a raw snapshot that cannot be taken is a warning, with what it needs", async (t) => {
  const guarded = await EtcdServer.start(["--bcrypt-cost", "4"], ["--user=root:secret"]);
  t.teardown(() => guarded.stop());
  for (const user of ["root", "reader"]) await guarded.ctl("user", "add", `${user}:secret`);
  await guarded.ctl("user", "grant-role", "root", "root");
  await guarded.ctl("role", "add", "reads");
  await guarded.ctl("role", "grant-permission", "reads", "--from-key", "read", "");
  await guarded.ctl("user", "grant-role", "reader", "reads");
  await guarded.ctl("auth", "enable");
  const args = [...ETCD_ALONE, "--etcd", guarded.endpoint, "--user"];
  const denied = (await doctor(t, 0, [...args, "reader:secret"])).get("etcd raw snapshot");
  t.is(denied?.state, "warning");
  t.regex(denied?.advice ?? "", /role root \(--user, --password\)/);
  const missing = [...args, "root:secret", "--spool-dir", "/missing/folder"];
  const noRoom = (await doctor(t, 0, missing)).get("etcd raw snapshot");
  t.is(noRoom?.state, "warning");
  t.regex(noRoom?.detail ?? "", /cannot write into "\/missing\/folder"/);
  t.regex(noRoom?.advice ?? "", /--spool-dir/);
  t.is((await doctor(t, 0, [...args, "root:secret"])).get("etcd raw snapshot")?.state, "ok");
});

test.serial("an alarm fails, with the command that disarms it", async (t) => {
  const full = await EtcdServer.start(["--quota-backend-bytes", "1000000"]);
  t.teardown(() => full.stop());
  const fill = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) {
      await full.put(Buffer.from(`k${i}`), Buffer.alloc(300_000));
      // etcd counts what it has committed, which it does ten times a second.
      await sleep(20);
    }
  };
  await t.throwsAsync(fill(), { message: /space exceeded/ });
  const checks = await doctor(t, 1, [...ETCD_ALONE, "--etcd", full.endpoint]);
  failed(t, checks.get(`etcd ${full.endpoint}`), /alarm NOSPACE of member [0-9a-f]+/, /disarm/);
});

test.serial("endpoints of two clusters fail", async (t) => {
  const other = await EtcdServer.start(["--initial-cluster-token", "another"]);
  t.teardown(() => other.stop());
  const both = ["--etcd", etcd.endpoint, "--etcd", other.endpoint];
  const checks = await doctor(t, 1, [...ETCD_ALONE, ...both]);
  failed(
    t,
    checks.get("etcd members"),
    /^of 2 clusters: [0-9a-f]+, [0-9a-f]+$/,
    /one cluster only/,
  );
  const twice = ["--etcd", etcd.endpoint, "--etcd", `http://${etcd.endpoint}`];
  const same = await doctor(t, 0, [...ETCD_ALONE, ...twice]);
  t.is(same.get("etcd members")?.detail, "all 2 of one cluster");
});
