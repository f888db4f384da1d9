import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { backuptool, cephFlags, lines } from "../../support/program/backuptool.js";
import { dropPools, dumpPool, makePools, writeObjects } from "../../support/ceph/client.js";
import { disturbed } from "../../support/program/disturbed.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";
import { SeededChoice } from "../../support/seeded-choice.js";

/** `npm run faults` sets both, for more of them. */
const ROUNDS = Number(process.env["BACKUPTOOL_TEST_ROUNDS"] ?? 6);
const SEED = Number(process.env["BACKUPTOOL_TEST_SEED"] ?? 20_261_121);

const OBJECTS = [
  ...Array.from({ length: 300 }, (_, i) => ({ name: `small-${i}`, size: 1000 + i })),
  ...Array.from({ length: 8 }, (_, i) => ({ name: `large-${i}`, size: (6 + i) << 20 })),
  { name: "omap", size: 10, omapEntries: 3000 },
];

let pools: string[] = [];
let etcd: EtcdServer;
let target: string[] = [];

test.before(async () => {
  pools = await makePools(2);
  await writeObjects(pools[0] ?? "", OBJECTS);
  etcd = await EtcdServer.start();
  for (let i = 0; i < 30; i++) await etcd.ctl("put", `key-${i}`, `value ${i}`);
  target = ["--etcd", etcd.endpoint, ...cephFlags()];
});

test.after.always(async () => {
  await etcd?.stop();
  await dropPools(pools);
});

/** Kills the program `ms` after its first output, which is when the passphrase has been read. */
function killedAfter(ms: number, args: readonly string[]) {
  return backuptool(args, {
    onStart: (child) => {
      child.stdout?.once("data", () => setTimeout(() => child.kill("SIGKILL"), ms));
    },
  });
}

test.serial("a create that is killed leaves an unfinished backup or a whole one", async (t) => {
  t.timeout(3_600_000);
  const choice = new SeededChoice(`create ${SEED}`);
  t.log(`seed ${SEED}, ${ROUNDS} rounds`);
  const include = ["--include-pool", pools[0] ?? "", "--archive-size", "20MiB"];
  let killed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const outputdir = join(newFolder(), "backup");
    const ms = choice.below(1800);
    const { signal } = await killedAfter(ms, [
      "create",
      "--outputdir",
      outputdir,
      ...target,
      ...include,
    ]);
    if (signal === "SIGKILL") killed++;
    const { code, stderr } = await backuptool(["inspect", "--outputdir", outputdir]);
    const manifest = existsSync(join(outputdir, "MANIFEST.json"));
    const begun = existsSync(outputdir) && readdirSync(outputdir).length > 0;
    t.is(code, manifest ? 0 : begun ? 11 : 1, `after ${ms} ms: ${stderr}`);
    if (!manifest) t.regex(stderr, begun ? /is unfinished/ : /there is no backup/);
  }
  t.true(killed > 0);
});

test.serial("a restore that is killed can be run again", async (t) => {
  t.timeout(3_600_000);
  const choice = new SeededChoice(`restore ${SEED}`);
  const [from = "", to = ""] = pools;
  const outputdir = join(newFolder(), "backup");
  const created = await backuptool([
    "create",
    "--outputdir",
    outputdir,
    ...target,
    "--include-pool",
    from,
  ]);
  t.is(created.code, 0, created.stderr);
  const then = await dumpPool(from);
  const pairs = await etcd.pairs();
  const restore = [
    "restore",
    "--outputdir",
    outputdir,
    ...target,
    "--restore-pool",
    `${from}:${to}`,
  ];
  for (let round = 0; round < ROUNDS; round++) await killedAfter(choice.below(1500), restore);
  const { code, stderr } = await backuptool(restore);
  t.is(code, 0, stderr);
  t.deepEqual(await dumpPool(to), then);
  t.deepEqual(await etcd.pairs(), pairs);
});

test.serial(
  "a full disk is an error that names the file, and leaves nothing that looks complete",
  async (t) => {
    const mount = join(newFolder(), "small-disk");
    mkdirSync(mount);
    const mounted = await runProcess("mount", ["-t", "tmpfs", "-o", "size=12m", "tmpfs", mount]);
    if (mounted.code !== 0) {
      t.log(`not tried: a tmpfs cannot be mounted here: ${mounted.stderr}`);
      t.pass();
      return;
    }
    t.teardown(() => runProcess("umount", [mount]));
    const outputdir = join(mount, "backup");
    const include = ["--include-pool", pools[0] ?? ""];
    const { code, stderr } = await backuptool([
      "create",
      "--outputdir",
      outputdir,
      ...target,
      ...include,
    ]);
    t.is(code, 1, stderr);
    t.regex(stderr, /ARCHIVE00000\.bin/);
    t.regex(stderr, /no space left/i);
    const inspected = await backuptool(["inspect", "--outputdir", outputdir]);
    t.is(inspected.code, 11, inspected.stderr);
    // With room, the same command works in a new folder.
    rmSync(outputdir, { recursive: true });
    const small = await backuptool(["create", "--outputdir", outputdir, ...target, "--skip-ceph"]);
    t.is(small.code, 0, small.stderr);
  },
);

test.serial(
  "an output folder that is not empty is rejected before a question or a read",
  async (t) => {
    const outputdir = newFolder();
    mkdirSync(join(outputdir, "something"));
    const { code, stderr, stdout } = await backuptool([
      "create",
      "--outputdir",
      outputdir,
      ...target,
    ]);
    t.is(code, 2);
    t.regex(stderr, /not empty/);
    t.is(stdout.length, 0);
    t.deepEqual(readdirSync(outputdir), ["something"]);
  },
);

test.serial("Ctrl-C ends a create and a restore with exit code 130", async (t) => {
  const interrupt = (ms: number, args: readonly string[]) =>
    backuptool([...args, "--quiet"], {
      onStart: (child) => {
        child.stdout?.on("data", async (text: Buffer) => {
          if (!/creating new file|connecting ceph/.test(text.toString())) return;
          await sleep(ms);
          child.kill("SIGINT");
        });
      },
    });
  let outputdir = "";
  const created = await disturbed(() => {
    outputdir = join(newFolder(), "backup");
    const create = ["create", "--outputdir", outputdir, ...target];
    return interrupt(0, [...create, "--include-pool", pools[0] ?? ""]);
  });
  t.is(created.code, 130, created.stderr);
  t.false(existsSync(join(outputdir, "MANIFEST.json")));
  t.is(lines(Buffer.from(created.stderr)).length, 1, created.stderr);
  const whole = join(newFolder(), "whole");
  await backuptool(["create", "--outputdir", whole, ...target, "--include-pool", pools[0] ?? ""]);
  const mapping = ["--restore-pool", `${pools[0]}:${pools[1]}`];
  const restored = await disturbed(() =>
    interrupt(20, ["restore", "--outputdir", whole, ...target, ...mapping]),
  );
  t.is(restored.code, 130, restored.stderr);
  t.regex(restored.stderr, /interrupted/);
});

test.serial(
  "an output folder that cannot be made is rejected at once; one with missing parents is made",
  async (t) => {
    const deep = join(newFolder(), "a", "b", "backup");
    const made = await backuptool(["create", "--outputdir", deep, ...target, "--skip-ceph"]);
    t.is(made.code, 0, made.stderr);
    for (const outputdir of ["/proc/none", "/proc/none/below", join(deep, "MANIFEST.json", "x")]) {
      const { code, stderr } = await backuptool(["create", "--outputdir", outputdir, ...target]);
      t.is(code, 2, stderr);
      t.regex(stderr, /cannot use the folder/);
    }
  },
);
