import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { backuptool, cephFlags, PASSPHRASE } from "../../support/program/backuptool.js";
import { dropPools, makePools, writeObjects } from "../../support/ceph/client.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";

let etcd: EtcdServer;
let pools: string[] = [];
test.before(async () => {
  etcd = await EtcdServer.start();
  await etcd.ctl("put", "key", "value");
  pools = await makePools(2);
  for (const pool of pools) await writeObjects(pool, [{ name: "object", data: pool }]);
});
test.after.always(async () => {
  await etcd?.stop();
  await dropPools(pools);
});

function yaml(text: string): string {
  const path = join(newFolder(), "config.yaml");
  writeFileSync(path, text);
  return path;
}

/** The last line of a successful run. */
async function run(
  t: { is(actual: unknown, expected: unknown, message?: string): void },
  args: readonly string[],
  variables: Readonly<Record<string, string | undefined>> = {},
): Promise<string> {
  const { code, stdout, stderr } = await backuptool(args, {
    cwd: newFolder(),
    env: variables,
  });
  t.is(code, 0, stderr);
  return stdout.toString();
}

const ETCD_ONLY = () => ["--skip-ceph", "--etcd", etcd.endpoint];

test("a typed --etcd overrides skip-etcd in the file", async (t) => {
  const config = yaml("skip-etcd: true\n");
  const outputdir = join(newFolder(), "backup");
  const args = ["--config", config, "--etcd", etcd.endpoint, "--include-pool", pools[0] ?? ""];
  const said = await run(t, ["create", "--outputdir", outputdir, ...args, ...cephFlags()]);
  t.regex(said, /CEPH DONE; included 1 ceph objects/);
  t.regex(said, /ETCD DONE; included 1 etcd records/);
  const variable = { BACKUPTOOL_SKIP_ETCD: "true" };
  const cleared = await run(t, ["clear", "--dry-run", ...ETCD_ONLY()], variable);
  t.is(cleared, "would delete 1 etcd key\ndone\n");
});

test("a typed --skip-etcd overrides skip-ceph in the file", async (t) => {
  const config = yaml("skip-ceph: true\n");
  const outputdir = join(newFolder(), "backup");
  const args = ["--config", config, "--skip-etcd", "--include-pool", pools[0] ?? ""];
  const said = await run(t, ["create", "--outputdir", outputdir, ...args, ...cephFlags()]);
  t.regex(said, /CEPH DONE; included 1 ceph objects/);
  t.regex(said, /skipping etcd backup/);
});

test("an address in a variable does not override skip-etcd in the file", async (t) => {
  const config = yaml("skip-etcd: true\n");
  const args = ["clear", "--dry-run", "--config", config, ...cephFlags()];
  const variables = { BACKUPTOOL_ETCD: etcd.endpoint, BACKUPTOOL_USER: "root:secret" };
  t.is(await run(t, args, variables), "done\n");
});

test("a typed --outputdir replaces the store in a variable", async (t) => {
  const store = newFolder();
  for (const variables of [
    { BACKUPTOOL_STORE: `file://${store}` },
    { STORAGE_PROVIDER: "Local", STORAGE_CONTAINER: store },
    { BACKUPTOOL_STORE: `file://${store}`, BACKUPTOOL_SECONDARY_STORE: `file://${store}/second` },
    { BACKUPTOOL_STORE: `file://${store}`, STORAGE_PROVIDER: "Local", STORAGE_CONTAINER: store },
  ]) {
    const outputdir = join(newFolder(), "backup");
    await run(t, ["create", "--outputdir", outputdir, ...ETCD_ONLY()], variables);
    t.true(existsSync(join(outputdir, "MANIFEST.json")));
    t.deepEqual(readdirSync(store), []);
    const inspected = await run(t, ["inspect", "--outputdir", outputdir], variables);
    t.regex(inspected, /archive contains 0 ceph objects and 1 etcd records/);
  }
  const variables = { BACKUPTOOL_STORE: `file://${store}` };
  const place = ["--outputdir", join(newFolder(), "backup")];
  await run(t, ["create", ...place, ...ETCD_ONLY()], variables);
  t.regex(await run(t, ["restore", ...place, ...ETCD_ONLY()], variables), /Restore complete/);
  t.true((await run(t, ["cat", ...place], variables)).length > 0);
});

test("a typed --store replaces the folder in the file", async (t) => {
  const store = newFolder();
  const folder = join(newFolder(), "backup");
  const config = yaml(`outputdir: ${folder}\n`);
  const place = ["--config", config, "--store", `file://${store}`];
  await run(t, ["create", ...place, ...ETCD_ONLY()]);
  t.is(readdirSync(store).length, 1);
  t.false(existsSync(folder));
  t.regex(await run(t, ["inspect", ...place]), /and 1 etcd records/);
  // From one source, both a folder and a store are used.
  await run(t, ["create", ...place, "--outputdir", folder, ...ETCD_ONLY()]);
  t.is(readdirSync(store).length, 2);
  t.true(existsSync(join(folder, "MANIFEST.json")));
});

test("spaces in a list of pools are ignored, and an empty item is an error", async (t) => {
  const outputdir = join(newFolder(), "backup");
  const args = ["create", "--skip-etcd", "--outputdir", outputdir, ...cephFlags()];
  const said = await run(t, args, { BACKUPTOOL_INCLUDE_POOL: ` ${pools.join(" , ")} ` });
  t.regex(said, /CEPH DONE; included 2 ceph objects/);
  const config = yaml(`include-pool: ${pools.join(", ")}\n`);
  const other = join(newFolder(), "backup");
  const fromFile = ["create", "--skip-etcd", "--config", config, ...cephFlags()];
  t.regex(await run(t, [...fromFile, "--outputdir", other]), /included 2 ceph objects/);
  for (const [given, why] of [
    ["a,,b", 'include-pool has an empty item in "a,,b"'],
    ["a, ", 'include-pool has an empty item in "a, "'],
    [" ", "include-pool is empty"],
  ] as const) {
    const { code, stderr } = await backuptool(args, { env: { BACKUPTOOL_INCLUDE_POOL: given } });
    t.is(code, 2);
    t.is(stderr, `backuptool: BACKUPTOOL_INCLUDE_POOL: ${why}\n`);
    const broken = yaml(`include-pool: "${given}"\n`);
    const file = await backuptool([...args, "--config", broken]);
    t.is(file.code, 2);
    t.is(file.stderr, `backuptool: "${broken}": ${why}\n`);
  }
});

test("the error of contradicting settings in one source names both", async (t) => {
  const config = yaml("outputdir: x\nstore: file:///y\n");
  const file = await backuptool(["inspect", "--config", config]);
  t.is(file.code, 2);
  t.is(
    file.stderr,
    `backuptool: outputdir of "${config}" contradicts store of "${config}": the backup is in one place\n`,
  );
  const variables = { BACKUPTOOL_PASSPHRASE: "one", BACKUPTOOL_PASSPHRASE_FILE: "other" };
  const both = await backuptool(["inspect"], { env: variables });
  t.is(both.code, 2);
  t.is(both.stderr, "backuptool: BACKUPTOOL_PASSPHRASE contradicts BACKUPTOOL_PASSPHRASE_FILE\n");
});

test("a passphrase in a variable has precedence over a passphrase-file in the file", async (t) => {
  const outputdir = join(newFolder(), "backup");
  await run(t, ["create", "--outputdir", outputdir, ...ETCD_ONLY()]);
  const wrong = yaml("not the passphrase\n");
  const config = yaml(`passphrase-file: ${wrong}\n`);
  await run(t, ["inspect", "--outputdir", outputdir, "--config", config]);
  const right = join(newFolder(), "passphrase");
  writeFileSync(right, PASSPHRASE);
  const typed = ["inspect", "--outputdir", outputdir, "--passphrase-file", right];
  await run(t, typed, { BACKUPTOOL_PASSPHRASE: "wrong" });
});

test("a typed new passphrase has precedence over a variable", async (t) => {
  const from = join(newFolder(), "gone");
  const args = ["convert", "--outputdir", from, "--to", join(newFolder(), "new")];
  const variables = {
    BACKUPTOOL_NEW_PASSPHRASE: "a",
    BACKUPTOOL_NEW_PASSPHRASE_COMMAND: "echo b",
  };
  const both = await backuptool(args, { env: variables });
  t.is(both.code, 2);
  t.regex(both.stderr, /BACKUPTOOL_NEW_PASSPHRASE contradicts BACKUPTOOL_NEW_PASSPHRASE_COMMAND/);
  const typed = await backuptool([...args, "--new-passphrase-file", "f"], { env: variables });
  t.notRegex(typed.stderr, /contradicts/);
});

test("a typed store has precedence over other settings", async (t) => {
  const [typed, other] = [newFolder(), newFolder()];
  await run(t, ["create", "--store", `file://${typed}`, ...ETCD_ONLY()]);
  const [name = ""] = readdirSync(typed);
  const config = yaml(`secondary-store: file://${other}\nfrom: secondary\n`);
  const verified = ["snapshot", "verify", name, "--config", config, "--store", `file://${typed}`];
  await run(t, verified);
  const deletion = ["snapshot", "delete", name, "--yes", "--secondary-store", `file://${other}`];
  const { code, stderr } = await backuptool(deletion, {
    env: { BACKUPTOOL_STORE: `file://${typed}` },
  });
  t.is(code, 2);
  t.regex(stderr, /--from secondary/);
  t.deepEqual(readdirSync(typed), [name]);
});

test("yes in a variable or in a file is an error, and deletes nothing", async (t) => {
  const own = await EtcdServer.start();
  t.teardown(() => own.stop());
  await own.ctl("put", "key", "value");
  const clear = ["clear", "--skip-ceph", "--etcd", own.endpoint];
  const store = newFolder();
  await run(t, ["create", "--store", `file://${store}`, ...ETCD_ONLY()]);
  const [name = ""] = readdirSync(store);
  const deletion = ["snapshot", "delete", name, "--store", `file://${store}`];
  const config = yaml("yes: true\n");
  for (const args of [clear, deletion]) {
    const variable = await backuptool(args, { env: { BACKUPTOOL_YES: "true" } });
    t.is(variable.code, 2);
    t.is(
      variable.stderr,
      "backuptool: BACKUPTOOL_YES is not allowed: this setting must be typed; type it, or remove it there (--yes)\n",
    );
    const file = await backuptool([...args, "--config", config]);
    t.is(file.code, 2);
    t.regex(file.stderr, /yes of ".*" is not allowed: this setting must be typed/);
  }
  t.is((await own.pairs()).length, 1);
  t.deepEqual(readdirSync(store), [name]);
  await run(t, [...clear, "--yes"], { BACKUPTOOL_YES: "true" });
  t.deepEqual(await own.pairs(), []);
});

test("a typed user does not get the password of another one", async (t) => {
  const config = yaml("user: root\npassword: secret\n");
  const args = ["clear", "--dry-run", ...ETCD_ONLY(), "--config", config, "--user", "other"];
  const { code, stderr } = await backuptool(args);
  t.is(code, 2);
  t.regex(stderr, /a user of etcd is set, but no password/);
});

test("cat writes its tar, also with json in a setting", async (t) => {
  const outputdir = join(newFolder(), "backup");
  await run(t, ["create", "--outputdir", outputdir, ...ETCD_ONLY()]);
  const tar = await run(t, ["cat", "--outputdir", outputdir], { BACKUPTOOL_JSON: "true" });
  t.true(tar.length > 0);
});
