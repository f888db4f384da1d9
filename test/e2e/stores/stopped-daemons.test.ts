import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { backuptool } from "../../support/program/backuptool.js";
import { DevCluster } from "../../support/servers/dev-cluster.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";

let cluster: DevCluster;
const FILL = `
import os, rados
c = rados.Rados(conffile=os.environ["CEPH_CONF"], conf={"keyring": os.environ["CEPH_KEYRING_ADMIN"]}); c.connect()
io = c.open_ioctx("btrdbhot")
for i in range(200): io.write_full("object-%d" % i, os.urandom(1 << 20))
os._exit(0)
`;

test.before(async (t) => {
  cluster = await DevCluster.start();
  const { code, stderr } = await runProcess("/usr/bin/python3", ["-c", FILL], { env: cluster.env });
  t.is(code, 0, stderr);
});

test.after.always(() => cluster?.down());

/** Kills a daemon as soon as the program has printed a line, and starts it again afterwards. */
async function withKill(daemon: "osd.0" | "etcd", line: RegExp, args: readonly string[]) {
  let killed = false;
  const result = await backuptool([...args, ...cluster.flags, "--ceph-timeout", "10s"], {
    onStart: (child) => {
      child.stdout?.on("data", (text: Buffer) => {
        if (killed || !line.test(text.toString())) return;
        killed = true;
        cluster.kill(daemon);
      });
    },
  });
  await cluster.stop(daemon);
  await cluster.start(daemon);
  return result;
}

test.serial("a create fails when an OSD stops in the middle", async (t) => {
  const outputdir = join(newFolder(), "backup");
  const create = ["create", "--outputdir", outputdir, "--include-pool", "btrdbhot"];
  const { code, stderr } = await withKill("osd.0", /creating new file/, create);
  t.is(code, 1, stderr);
  t.regex(stderr, /ceph: .*"btrdbhot".*no answer in time/);
  t.false(existsSync(join(outputdir, "MANIFEST.json")));
  const inspected = await backuptool(["inspect", "--outputdir", outputdir]);
  t.is(inspected.code, 11);
  const again = [...cluster.flags, "--include-pool", "btrdbhot"];
  const outputAgain = join(newFolder(), "backup");
  const second = await backuptool(["create", "--outputdir", outputAgain, ...again]);
  t.is(second.code, 0, second.stderr);
});

test.serial(
  "with --keep-going, objects that could not be read are listed, and the exit code is 3",
  async (t) => {
    const outputdir = join(newFolder(), "backup");
    const create = [
      "create",
      "--outputdir",
      outputdir,
      "--include-pool",
      "btrdbhot",
      "--keep-going",
    ];
    const { code, stderr } = await withKill("osd.0", /creating new file/, [
      ...create,
      "--skip-etcd",
    ]);
    // The run cannot go on when the listing itself fails.
    t.true(code === 3 || (code === 1 && /list objects/.test(stderr)), stderr);
    if (code === 3) {
      t.regex(stderr, /missing: ceph object "btrdbhot"\/"object-\d+": .*no answer in time/);
      const inspected = await backuptool(["inspect", "--outputdir", outputdir]);
      t.is(inspected.code, 0, inspected.stderr);
    }
  },
);

test.serial(
  "a restore fails when an OSD stops in the middle, and reports how far it came",
  async (t) => {
    const outputdir = join(newFolder(), "backup");
    const include = ["--include-pool", "btrdbhot"];
    const created = await backuptool([
      "create",
      "--outputdir",
      outputdir,
      ...cluster.flags,
      ...include,
    ]);
    t.is(created.code, 0, created.stderr);
    const restore = ["restore", "--outputdir", outputdir, "--restore-pool", "btrdbhot:restore_hot"];
    const { code, stderr } = await withKill("osd.0", /connecting ceph/, restore);
    t.is(code, 1, stderr);
    t.regex(stderr, /"restore_hot".*no answer in time.*\d+ ceph objects.*can be run again/);
    const again = await backuptool([...restore, ...cluster.flags]);
    t.is(again.code, 0, again.stderr);
  },
);
