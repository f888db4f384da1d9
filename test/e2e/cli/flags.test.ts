import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { backuptool } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";

let etcd: EtcdServer;
test.before(async () => {
  etcd = await EtcdServer.start();
});
test.after.always(() => etcd?.stop());

const NOTHING_TO_DO =
  "with etcd and Ceph skipped, there is nothing to do; include one of them (--skip-etcd, --skip-ceph)";

const WRONG: readonly (readonly [args: string, stderr: string])[] = [
  ["creat", 'there is no command "creat"; did you mean create?'],
  ["frobnicate", 'there is no command "frobnicate"; see backuptool --help'],
  ["snapshots", 'there is no command "snapshots"; did you mean snapshot?'],
  ["snapshot lst", 'there is no command "snapshot lst"; did you mean snapshot list?'],
  ["snapshot frobnicate", 'there is no command "snapshot frobnicate"; see backuptool --help'],
  ["completion fish", 'there is no completion for "fish"; write bash or zsh'],
  ["frobnicate --help", 'there is no command "frobnicate"; see backuptool --help'],
  [
    "--quiet create",
    'expected a command before "--quiet"; write the command first: backuptool create --outputdir my_backup',
  ],
  ["create --output-dir x", "create has no flag --output-dir; did you mean --outputdir?"],
  ["create --restore-pool a:b", "create has no flag --restore-pool; see backuptool create --help"],
  [
    "etcd restore-founder --spool-dir x",
    "etcd restore-founder has no flag --spool-dir; see backuptool etcd restore-founder --help",
  ],
  [
    "etcd restore-founder --name m1 --initial-advertise-peer-urls http://10.0.0.1:2380 --etcd-data-dir x --skip-hash-check",
    "--skip-hash-check is of a snapshot file; what a backup holds is always checked (--snapshot-file)",
  ],
  ["create --constructor x", "create has no flag --constructor; see backuptool create --help"],
  ["create -o x", "create has no flag -o; see backuptool create --help"],
  ["create --help=1", "create has no flag --help; see backuptool create --help"],
  ["create my_backup", 'create takes no argument "my_backup"; see backuptool create --help'],
  ["create --outputdir", "--outputdir needs a value; see backuptool create --help"],
  ["create --outputdir --skip-ceph", "--outputdir needs a value; see backuptool create --help"],
  ["create --outputdir=", "--outputdir is empty"],
  ["create --outputdir a --outputdir b", "--outputdir is given twice"],
  ["create --no-outputdir", "--no-outputdir is not supported: --outputdir takes a value"],
  ["create --skip-ceph --skip-etcd", NOTHING_TO_DO],
  ["restore --skip-ceph --skip-etcd", NOTHING_TO_DO],
  ["clear --skip-ceph --skip-etcd", NOTHING_TO_DO],
  ["create --skip-ceph --include-pool a", '--include-pool "a" contradicts --skip-ceph'],
  ["create --skip-ceph --skip-pool a", '--skip-pool "a" contradicts --skip-ceph'],
  ["clear --skip-ceph --include-pool a", '--include-pool "a" contradicts --skip-ceph'],
  ["restore --skip-ceph --restore-pool a:b", '--restore-pool "a:b" contradicts --skip-ceph'],
  [
    "create --include-pool a --skip-pool a",
    'the pool "a" is both included and skipped; name it once (--include-pool, --skip-pool)',
  ],
  ...["inspect", "restore", "cat"].flatMap((command) => [
    [
      `${command} --outputdir x --storage-provider Local --store-container /y`,
      "--outputdir contradicts --storage-provider: the backup is in one place",
    ] as const,
    [
      `${command} --outputdir x --store-prefix y`,
      "--outputdir contradicts --store-prefix: the backup is in one place",
    ] as const,
    [
      `${command} --outputdir x --secondary-store file:///y`,
      "--outputdir contradicts --secondary-store: the backup is in one place",
    ] as const,
    [
      `${command} --secondary-store nonsense://b`,
      "--secondary-store is set, but no primary store; choose the secondary one (--from secondary)",
    ] as const,
  ]),
  ["clear --dry-run=1", "--dry-run takes no value but true or false"],
  ["create --quiet --verbose", "--quiet contradicts --verbose"],
  [
    "inspect --passphrase-file a --passphrase-command b",
    "--passphrase-file contradicts --passphrase-command",
  ],
  ["create --compression-level 3.5", '--compression-level "3.5" is not a number from 1 to 19'],
  [
    "create --archive-size 2XB",
    '--archive-size "2XB" is not a size; write a number and a unit, such as 512MiB or 2GiB',
  ],
  ["create --archive-size 5k", '--archive-size "5k" is under 1MiB'],
  [
    "create --skip-ceph --etcd-timeout 5d",
    '--etcd-timeout "5d" is not a time; write a number and a unit, such as 30s or 2m',
  ],
  ["create --skip-ceph --etcd=", "--etcd is empty"],
  ["create --skip-ceph --etcd=,", "--etcd names no endpoint"],
  [
    "create --skip-ceph --etcd ftp://x",
    '"ftp://x" is not an etcd endpoint; write host:port, http://host:port or https://host:port',
  ],
  [
    "create --skip-ceph --etcd host:0",
    '"host:0" is not an etcd endpoint; write host:port, http://host:port or https://host:port',
  ],
  [
    "restore --restore-pool hot",
    '--restore-pool "hot" is not FROM:TO; write the pool\'s name in the backup, a colon, and the pool to restore into',
  ],
  ["restore --restore-pool a:b --restore-pool a:c", '--restore-pool names "a" twice'],
  [
    "restore --restore-pool a:c --restore-pool b:c",
    '--restore-pool restores "a" and "b" into one pool, "c"; objects of the same name would overwrite each other',
  ],
];

for (const [args, said] of WRONG) {
  test(`wrong usage is an error with exit code 2: ${args}`, async (t) => {
    const { code, stdout, stderr } = await backuptool(args.split(" "), { cwd: newFolder() });
    t.is(stderr.split("\n")[0], `backuptool: ${said}`);
    t.is(code, 2);
    t.is(stdout.toString(), "");
  });
}

test("an empty value never becomes the default", async (t) => {
  for (const args of [["--etcd", ""], ["--etcd="], ["--etcd", " "], ["--outputdir", ""]]) {
    const { code } = await backuptool(["create", "--skip-ceph", ...args], { cwd: newFolder() });
    t.is(code, 2, args.join(" "));
  }
});

test("the error of an invalid choice lists the choices, in one line", async (t) => {
  const { code, stderr } = await backuptool(["restore", "--leases", "kep"]);
  t.is(code, 2);
  t.is(stderr.trim().split("\n").length, 1);
  t.regex(stderr, /^backuptool: --leases "kep" is not one of "regrant", "drop", "keep-forever"$/m);
});

/** The endpoint that a dry run reaches, which depends on the setting that won. */
async function keysAt(args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await backuptool(["clear", "--dry-run", ...args], { env });
  return { code, stdout: stdout.toString(), stderr };
}
const FOUND = { code: 0, stdout: "would delete 0 etcd keys\ndone\n", stderr: "" };

test("a typed flag has precedence over the environment, and that over the file", async (t) => {
  const config = join(newFolder(), "config.yaml");
  writeFileSync(config, "etcd: [127.0.0.1:1]\nskip-ceph: true\noutputdir: of another command\n");
  t.deepEqual(await keysAt(["--config", config, "--etcd", etcd.endpoint]), FOUND);
  t.deepEqual(await keysAt(["--config", config], { BACKUPTOOL_ETCD: etcd.endpoint }), FOUND);
  const env = { BACKUPTOOL_ETCD: "127.0.0.1:1", BACKUPTOOL_CONFIG: config };
  t.deepEqual(await keysAt(["--etcd", etcd.endpoint], env), FOUND);
  t.is((await keysAt([`--config=${config}`])).code, 1);
  writeFileSync(config, `etcd: ${etcd.endpoint}\nskip-ceph: true\n`);
  t.deepEqual(await keysAt(["--config", config]), FOUND);
});

test("several endpoints are given by repeated flags, commas or a list in a file", async (t) => {
  const both = `127.0.0.1:1,${etcd.endpoint}`;
  t.deepEqual(await keysAt(["--skip-ceph", `--etcd=${both}`]), FOUND);
  t.deepEqual(
    await keysAt(["--skip-ceph", "--etcd", "127.0.0.1:1", "--etcd", etcd.endpoint]),
    FOUND,
  );
  t.deepEqual(await keysAt(["--skip-ceph"], { BACKUPTOOL_ETCD: both }), FOUND);
  const config = join(newFolder(), "config.yaml");
  writeFileSync(config, `etcd:\n  - 127.0.0.1:1\n  - ${etcd.endpoint}\n`);
  t.deepEqual(await keysAt(["--skip-ceph", "--config", config]), FOUND);
});

test("the error of an invalid configuration or variable names its place", async (t) => {
  const config = join(newFolder(), "config.yaml");
  const said = async (yaml: string): Promise<string> => {
    writeFileSync(config, yaml);
    const { code, stderr } = await keysAt(["--config", config]);
    t.is(code, 2);
    return stderr.trimEnd().replaceAll(config, "C");
  };
  t.is(
    await said("ectd: x"),
    'backuptool: "C" sets "ectd", which is not a setting; did you mean etcd?',
  );
  t.is(await said("skip-ceph: maybe"), 'backuptool: "C": skip-ceph is true or false, not "maybe"');
  t.is(
    await said("cephconf: [a, b]"),
    'backuptool: "C": cephconf needs one value, not a list or a map',
  );
  t.is(await said("cephconf:"), 'backuptool: "C": cephconf is empty');
  t.is(
    await said("- a"),
    'backuptool: the configuration "C" is not a YAML mapping of names to values',
  );
  t.regex(await said("a: [b"), /^backuptool: the configuration "C" is not YAML; see its line \d+$/);
  const empty = await keysAt([], { BACKUPTOOL_CEPHCONF: "" });
  t.is(empty.stderr, "backuptool: BACKUPTOOL_CEPHCONF: cephconf is empty\n");
  const gone = await keysAt(["--config", "/none.yaml"]);
  t.regex(gone.stderr, /^backuptool: the configuration "\/none.yaml" cannot be read; ENOENT.*\n$/);
});

test("a number in a configuration stays text", async (t) => {
  const folder = newFolder();
  const config = join(folder, "config.yaml");
  writeFileSync(config, "outputdir: 007\nskip-ceph: true\ncompression-level: 5\n");
  const args = ["create", "--config", config, "--etcd", etcd.endpoint];
  const { code, stderr } = await backuptool(args, { cwd: folder });
  t.is(code, 0, stderr);
  const inspected = await backuptool(["inspect", "--outputdir", join(folder, "007"), "--quick"]);
  t.is(inspected.code, 0, inspected.stderr);
});

test("a value may begin with a dash, and be the name of a command", async (t) => {
  const folder = newFolder();
  for (const name of ["-dash", "completion", "--help"]) {
    const args = ["create", `--outputdir=${name}`, "--skip-ceph", "--etcd", etcd.endpoint];
    t.is((await backuptool(args, { cwd: folder })).code, 0);
  }
  const args = ["inspect", "--quick", "--outputdir", "completion"];
  const { stdout } = await backuptool(args, { cwd: folder });
  t.regex(stdout.toString(), /archive contains 0 ceph objects and 0 etcd records/);
});

test("--no-skip-ceph overrides the configuration", async (t) => {
  const env = { BACKUPTOOL_SKIP_CEPH: "true", BACKUPTOOL_SKIP_ETCD: "true" };
  t.is((await keysAt(["--no-skip-ceph"], env)).stdout, "done\n");
  t.is((await keysAt([], env)).code, 2);
});
