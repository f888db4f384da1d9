import { join } from "node:path";
import test from "ava";
import { backuptool, cephFlags, env } from "../../support/program/backuptool.js";
import {
  dropPools,
  dumpPool,
  makePools,
  tellMonitors,
  writeObjects,
} from "../../support/ceph/client.js";
import { newFolder } from "../../support/folders.js";

let base = "";
let tier = "";
let plain = "";

test.before(async () => {
  [base = "", tier = "", plain = ""] = await makePools(3);
});
test.after.always(async () => {
  // The setup may have failed.
  await tellMonitors({ prefix: "osd tier remove-overlay", pool: base }).catch(() => {});
  await tellMonitors({ prefix: "osd tier remove", pool: base, tierpool: tier }).catch(() => {});
  await dropPools([base, tier, plain]);
});

const mode = (name: string) =>
  tellMonitors({
    prefix: "osd tier cache-mode",
    pool: tier,
    mode: name,
    yes_i_really_mean_it: true,
  });

const create = (pools: readonly string[], ceph = cephFlags()) =>
  backuptool([
    "create",
    "--skip-etcd",
    "--outputdir",
    join(newFolder(), "backup"),
    ...ceph,
    ...pools.flatMap((pool) => ["--include-pool", pool]),
  ]);

const clear = (pool: string) =>
  backuptool(["clear", "--skip-etcd", ...cephFlags(), "--include-pool", pool, "--yes"]);

test.serial("a tier without a mode is ignored", async (t) => {
  await writeObjects(base, [{ name: "in both", data: "of the base" }]);
  await writeObjects(plain, [{ name: "plain", data: "plain" }]);
  await tellMonitors({
    prefix: "osd tier add",
    pool: base,
    tierpool: tier,
    force_nonempty: "--force-nonempty",
  });
  const { code, stdout, stderr } = await create([base, tier, plain]);
  t.is(code, 0, stderr);
  t.regex(stdout.toString(), /included 2 ceph objects/);
});

test.serial("objects behind a read-only tier are read, but not written", async (t) => {
  await mode("readonly");
  await tellMonitors({ prefix: "osd tier set-overlay", pool: base, overlaypool: tier });
  const { code, stdout, stderr } = await create([base, plain]);
  t.is(code, 0, stderr);
  t.regex(stdout.toString(), /included 2 ceph objects/);
  for (const pool of [base, tier]) {
    const cleared = await clear(pool);
    t.is(cleared.code, 1, cleared.stdout.toString());
    t.regex(cleared.stderr, /cache tier.* \(readonly\)/);
  }
});

for (const name of ["writeback", "readproxy"]) {
  test.serial(`pools with a ${name} tier between them are rejected`, async (t) => {
    await mode(name);
    // Only in the tier: a listing of the base does not name it.
    await writeObjects(base, [{ name: `by ${name}`, data: "in the tier" }]);
    const held = (await dumpPool(tier)).map((line) => JSON.parse(line).name);
    t.true(held.includes(Buffer.from(`by ${name}`).toString("hex")));
    const created = await create([base, plain]);
    t.is(created.code, 1, created.stdout.toString());
    t.regex(created.stderr, new RegExp(`${base}" has the cache tier "${tier}" \\(${name}\\)`));
    t.regex(created.stderr, /ceph osd tier remove-overlay.* leave the pool out/);
    // A backup needs only to read from the monitors.
    const user = ["--ceph-user", "backup", "--keyring", env("CEPH_KEYRING_BACKUP")];
    const ofTier = await create([tier], ["--cephconf", env("CEPH_CONF"), ...user]);
    t.is(ofTier.code, 1, ofTier.stdout.toString());
    t.regex(ofTier.stderr, new RegExp(`${tier}" is a cache tier \\(${name}\\) of .*${base}"`));
    const without = await create([plain]);
    t.is(without.code, 0, without.stderr);

    const cleared = await clear(base);
    t.is(cleared.code, 1, cleared.stdout.toString());
    t.regex(cleared.stderr, /has the cache tier/);
  });
}

test.serial("nothing is restored behind a tier", async (t) => {
  const outputdir = join(newFolder(), "backup");
  const to = ["--outputdir", outputdir, "--skip-etcd", ...cephFlags()];
  const made = await backuptool(["create", "--include-pool", plain, ...to]);
  t.is(made.code, 0, made.stderr);
  const before = await dumpPool(tier);
  const restored = await backuptool(["restore", "--restore-pool", `${plain}:${base}`, ...to]);
  t.is(restored.code, 1, restored.stdout.toString());
  t.regex(restored.stderr, /has the cache tier/);
  t.deepEqual(await dumpPool(tier), before);
});
