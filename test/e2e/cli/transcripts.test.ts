import test from "ava";
import { cephFlags, PASSPHRASE } from "../../support/program/backuptool.js";
import { dropPools, dumpPool, makePools, writeObjects } from "../../support/ceph/client.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import { onTerminal, type Step } from "../../support/program/pty.js";

/**
 * The sessions in the guide of the original tool, one after the other on a terminal, with the counts, hosts and pools of
 * this test. Pools have unique names, so that no two tests use the same.
 */
let etcd: EtcdServer;
let hot: string;
let cold: string;
let hotAgain: string;
let coldAgain: string;
const cwd = newFolder();

test.before(async () => {
  etcd = await EtcdServer.start();
  [hot = "", cold = "", hotAgain = "", coldAgain = ""] = await makePools(4);
  for (let i = 0; i < 62; i++) await etcd.put(Buffer.from(`key${i}`), Buffer.from(`value${i}`));
  await writeObjects(hot, objects("hot", 12));
  await writeObjects(cold, objects("cold", 6));
});
test.after.always(async () => {
  await etcd?.stop();
  await dropPools([hot, cold, hotAgain, coldAgain]);
});

function objects(prefix: string, count: number): { name: string; size: number }[] {
  return Array.from({ length: count }, (_, i) => ({ name: `${prefix}${i}`, size: 100 + i }));
}

const STARS = "*".repeat(PASSPHRASE.length);
const ASKED = [
  `please enter the encryption passphrase: ${STARS}`,
  `same again: ${STARS}`,
  "generating (enc/dec)ryption keys from passphrase...",
  "done #ms",
];
const ANSWERS: readonly Step[] = [
  { expect: "encryption passphrase:", type: `${PASSPHRASE}\r` },
  { expect: "same again:", type: `${PASSPHRASE}\r` },
];

/** Runs one session; returns the lines on the screen, with the time of the keys replaced. */
async function session(args: readonly string[], steps: readonly Step[] = ANSWERS) {
  const { code, screen } = await onTerminal(args, steps, { cwd, merge: true });
  const time = /^done (\d+(\.\d{1,6})?ms|([1-9]\d*m\d{1,2}|[1-9]\d?)(\.\d{1,9})?s)$/;
  // A line that the guide does not have: it is on standard error, and not printed with --quiet.
  const lines = screen.filter((line) => !/^backup [0-9a-f]{32}: /.test(line));
  return { code, lines: lines.map((line) => line.replace(time, "done #ms")) };
}

test.serial("create of etcd alone", async (t) => {
  const args = ["create", "--outputdir", "etcd_backup", "--etcd", etcd.endpoint, "--skip-ceph"];
  t.deepEqual(await session(args), {
    code: 0,
    lines: [
      ...ASKED,
      "skipping incremental metadata",
      "skipping ceph backup",
      "creating new file ARCHIVE00000.bin",
      "ETCD DONE; included 62 etcd records",
    ],
  });
});

test.serial("create of Ceph alone", async (t) => {
  const args = ["create", ...cephFlags(), "--outputdir", "ceph_backup", "--include-pool", cold];
  t.deepEqual(await session([...args, "--skip-etcd"]), {
    code: 0,
    lines: [
      ...ASKED,
      "skipping incremental metadata",
      "this backup will include 1 pools:",
      ` - ${cold}`,
      "skipping etcd backup",
      "creating new file ARCHIVE00000.bin",
      "CEPH DONE; included 6 ceph objects (skipped 0 unchanged)",
    ],
  });
});

test.serial("create of two pools and etcd", async (t) => {
  const pools = ["--include-pool", hot, "--include-pool", cold];
  const args = ["create", ...cephFlags(), "--outputdir", "my_backup", ...pools];
  t.deepEqual(await session([...args, "--etcd", etcd.endpoint]), {
    code: 0,
    lines: [
      ...ASKED,
      "skipping incremental metadata",
      "this backup will include 2 pools:",
      ` - ${hot}`,
      ` - ${cold}`,
      "creating new file ARCHIVE00000.bin",
      "CEPH DONE; included 18 ceph objects (skipped 0 unchanged)",
      "ETCD DONE; included 62 etcd records",
    ],
  });
});

test.serial("create --incremental-over", async (t) => {
  await writeObjects(hot, objects("later", 5));
  await etcd.ctl("put", "later", "value");
  const pools = ["--include-pool", hot, "--include-pool", cold];
  const args = ["create", ...cephFlags(), "--outputdir", "incremental", ...pools];
  const over = ["--etcd", etcd.endpoint, "--incremental-over", "my_backup"];
  t.deepEqual(await session([...args, ...over]), {
    code: 0,
    lines: [
      ...ASKED,
      "this backup will include 2 pools:",
      ` - ${hot}`,
      ` - ${cold}`,
      "creating new file ARCHIVE00000.bin",
      "CEPH DONE; included 5 ceph objects (skipped 18 unchanged)",
      "ETCD DONE; included 1 etcd records",
    ],
  });
});

test.serial("inspect", async (t) => {
  const { code, lines } = await session(["inspect", "--outputdir", "my_backup"]);
  t.is(code, 0);
  t.deepEqual(lines.slice(0, 8), [
    ...ASKED,
    "archive contains 18 ceph objects and 62 etcd records",
    "the following 2 pools are referenced:",
    ` - ${hot}`,
    ` - ${cold}`,
  ]);
});

test.serial("clear of etcd", async (t) => {
  const args = ["clear", "--etcd", etcd.endpoint, "--skip-ceph", "--yes", "--quiet"];
  t.deepEqual(await session(args, []), { code: 0, lines: ["deleted etcd keys", "done"] });
  t.deepEqual(await etcd.pairs(), []);
});

test.serial("restore of etcd", async (t) => {
  const args = ["restore", "--etcd", etcd.endpoint, "--skip-ceph", "--outputdir", "my_backup"];
  t.deepEqual(await session(args), {
    code: 0,
    lines: [
      ...ASKED,
      "connecting etcd",
      "Restore complete: restored 0 ceph objects, skipped 0 ceph objects and restored  62 etcd records",
    ],
  });
  t.is((await etcd.pairs()).length, 62);
});

test.serial("restore of Ceph into other pools, a full backup and an incremental", async (t) => {
  const mapping = [
    "--restore-pool",
    `${hot}:${hotAgain}`,
    "--restore-pool",
    `${cold}:${coldAgain}`,
  ];
  for (const [outputdir, count] of [
    ["my_backup", 18],
    ["incremental", 5],
  ] as const) {
    const args = ["restore", ...cephFlags(), "--outputdir", outputdir, ...mapping, "--skip-etcd"];
    t.deepEqual(await session(args), {
      code: 0,
      lines: [
        ...ASKED,
        "connecting ceph",
        `Restore complete: restored ${count} ceph objects, skipped 0 ceph objects and restored  0 etcd records`,
      ],
    });
  }
  t.deepEqual(await dumpPool(hotAgain), await dumpPool(hot));
});

test.serial("clear of pools", async (t) => {
  const pools = ["--include-pool", hotAgain, "--include-pool", coldAgain];
  const args = ["clear", ...cephFlags(), ...pools, "--skip-etcd", "--yes", "--quiet"];
  const { code, lines } = await session(args, []);
  t.is(code, 0);
  t.is(lines.at(-1), "done");
  const names = (pool: string, prefix: string, count: number): string[] =>
    objects(prefix, count).map(({ name }) => `deleted ceph object "${pool}"/"${name}"`);
  t.deepEqual(
    lines.slice(0, -1).sort(),
    [
      ...names(hotAgain, "hot", 12),
      ...names(hotAgain, "later", 5),
      ...names(coldAgain, "cold", 6),
    ].sort(),
  );
  t.deepEqual(await dumpPool(hotAgain), []);
});
