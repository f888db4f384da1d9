import { cpSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { cephFlags, env, lines } from "../../support/program/backuptool.js";
import { dropPools, dumpPool, makePools, writeObjects } from "../../support/ceph/client.js";
import { DevCluster } from "../../support/servers/dev-cluster.js";
import { type Check, doctor, failed } from "../../support/program/doctor.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";

// Serial: each test runs the program, and some measure its time.

const CEPH_ALONE = ["--skip-etcd", "--outputdir", "."];

/** The first pool has an object, the second is empty. */
let pools: string[];
test.before(async () => {
  pools = await makePools(2);
  await writeObjects(pools[0] ?? "", [{ name: "object", size: 100, omap: [["a", "b"]] }]);
});
test.after.always(() => dropPools(pools));

const keyring = (user: string): string => {
  const path = join(newFolder(), "keyring");
  writeFileSync(path, `[${user}]\n\tkey = AQBz6h1ZAAAAABAAPeKqh0n0yWvYTbPAVOZgkQ==\n`, {
    mode: 0o600,
  });
  return path;
};

test.serial(
  "a ceph.conf that does not exist fails, and the checks that need it are skipped",
  async (t) => {
    const checks = await doctor(t, 1, [...CEPH_ALONE, "--cephconf", "/no/such/ceph.conf"]);
    failed(t, checks.get("ceph ceph.conf"), /ENOENT/, /--cephconf/);
    t.is(checks.get("ceph connection")?.state, "skipped");
  },
);

test.serial("a keyring without the user fails, and the check names its users", async (t) => {
  const files = ["--cephconf", env("CEPH_CONF"), "--keyring", env("CEPH_KEYRING_BACKUP")];
  const checks = await doctor(t, 1, [...CEPH_ALONE, ...files]);
  const detail = /has no key of "client.admin", only of "client.backup"$/;
  failed(t, checks.get("ceph keyring"), detail, /--ceph-user/);
});

test.serial(
  "a keyring that all users may read is a warning, and a wrong key a failure",
  async (t) => {
    const path = join(newFolder(), "open");
    writeFileSync(path, "[client.admin]\n\tkey = AQBz6h1ZAAAAABAAPeKqh0n0yWvYTbPAVOZgkQ==\n", {
      mode: 0o644,
    });
    const conf = ["--cephconf", env("CEPH_CONF")];
    const open = await doctor(t, 1, [...CEPH_ALONE, ...conf, "--keyring", path]);
    t.is(open.get("ceph keyring")?.state, "warning");
    t.regex(open.get("ceph keyring")?.advice ?? "", /chmod/);
    failed(t, open.get("ceph connection"), /the key is not accepted/, /--keyring/);
    t.false(JSON.stringify([...open]).includes("AQBz6h1Z"));
    const closed = await doctor(t, 1, [
      ...CEPH_ALONE,
      ...conf,
      "--keyring",
      keyring("client.admin"),
    ]);
    t.is(closed.get("ceph keyring")?.state, "ok");
  },
);

test.serial("a pool that does not exist fails, and one that exists passes", async (t) => {
  const [pool = ""] = pools;
  const args = ["--include-pool", "no\x1bsuch", "--include-pool", pool, "--restore-pool", "a:gone"];
  const checks = await doctor(t, 1, [...CEPH_ALONE, ...cephFlags(), ...args]);
  failed(t, checks.get('ceph pool "no\\x1bsuch"'), /no such pool/, new RegExp(pool));
  failed(t, checks.get('ceph target pool "gone"'), /no such pool/, new RegExp(pool));
  t.is(checks.get(`ceph pool "${pool}"`)?.state, "ok");
});

test.serial(
  "a user without capabilities on a pool fails, and the check names those that are missing",
  async (t) => {
    const [pool = ""] = pools;
    const user = ["--ceph-user", "backup", "--keyring", env("CEPH_KEYRING_BACKUP")];
    const named = ["--include-pool", pool, "--restore-pool", `a:${pool}`];
    const conf = ["--cephconf", env("CEPH_CONF")];
    const checks = await doctor(t, 1, [...CEPH_ALONE, ...conf, ...user, ...named]);
    t.is(checks.get("ceph connection")?.state, "ok");
    const read = new RegExp(`"client.backup" the capability osd 'allow r pool=${pool}'`);
    failed(t, checks.get(`ceph pool "${pool}"`), /^list objects: not allowed/, read);
    const write = new RegExp(`osd 'allow rw pool=${pool}'`);
    failed(t, checks.get(`ceph target pool "${pool}"`), /^write .*: not allowed/, write);
    t.is((await dumpPool(pool)).length, 1);
  },
);

test.serial("a target without omaps is a warning, and the probe is removed", async (t) => {
  const [pool = ""] = await makePools(1, "erasure");
  t.teardown(() => dropPools([pool]));
  const args = [...CEPH_ALONE, ...cephFlags(), "--restore-pool", `a:${pool}`];
  const check = (await doctor(t, 0, args)).get(`ceph target pool "${pool}"`);
  t.is(check?.state, "warning");
  t.regex(check?.detail ?? "", /erasure-coded/);
  t.deepEqual(await dumpPool(pool), []);
});

test.serial("OSDs that do not answer fail the check of each pool", async (t) => {
  const cluster = await DevCluster.start(["one", "two", "three"]);
  t.teardown(() => cluster.down());
  await cluster.stop("osd.0");
  const args = ["--skip-etcd", ...cluster.flags, "--restore-pool", "a:three", "--outputdir", "."];
  const named = ["--include-pool", "one", "--include-pool", "two"];
  const checks = await doctor(t, 1, [...args, ...named]);
  for (const pool of ['pool "one"', 'pool "two"', 'target pool "three"']) {
    failed(t, checks.get(`ceph ${pool}`), /no answer/, /OSDs may be down|health/);
  }
  failed(t, checks.get('ceph probe in target pool "three"'), /no answer/, /by hand/);
});

test.serial("without librados, doctor names the packages to install", async (t) => {
  const folder = newFolder();
  const root = fileURLToPath(new URL("../../../../", import.meta.url));
  cpSync(join(root, "dist/src"), join(folder, "src"), { recursive: true });
  cpSync(join(root, "package.json"), join(folder, "package.json"));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const args = ["doctor", "--json", ...CEPH_ALONE, ...cephFlags()];
  const program = join(folder, "src/cli/main.js");
  const { code, stdout, stderr } = await runProcess(process.execPath, [program, ...args]);
  t.is(code, 1, stderr);
  const checks = lines(stdout).map((line) => JSON.parse(line));
  const named = (name: string): Check => checks.find((check) => check.name === name);
  failed(t, named("librados"), /cannot be loaded/, /install .*librados/);
  t.is(named("connection").state, "skipped");
});
