import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { backuptool, createOfEtcd } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import { forgeSnapshot } from "../../support/stores/forged-snapshots.js";
import { originalFixture } from "../../support/original/fixtures.js";
import { ORIGINAL_PASSPHRASE } from "../../support/original/writer.js";
import { onTerminal, type Step } from "../../support/program/pty.js";

let etcd: EtcdServer;
test.before(async () => {
  etcd = await EtcdServer.start();
  await etcd.ctl("put", "key", "value");
});
test.after.always(() => etcd?.stop());

const create = (outputdir: string) => createOfEtcd(etcd, "--outputdir", outputdir);
const typed = (first: string, second: string): Step[] => [
  { expect: "encryption passphrase:", type: `${first}\r` },
  { expect: "same again:", type: `${second}\r` },
];

test.serial(
  "the passphrase is asked for as in the original, masked, on standard error",
  async (t) => {
    const folder = join(newFolder(), "backup");
    const result = await onTerminal(create(folder), typed("opensesame", "opensesame"));
    t.is(result.code, 0);
    t.deepEqual(result.screen, [
      "please enter the encryption passphrase: **********",
      "same again: **********",
    ]);
    t.is(
      result.stdout.toString().split("\n")[0],
      "generating (enc/dec)ryption keys from passphrase...",
    );
    t.false(result.raw.includes("opensesame"));
    t.true(result.restored);
    const opened = await backuptool(["inspect", "--quick", "--outputdir", folder], {
      env: { BACKUPTOOL_PASSPHRASE: "opensesame" },
    });
    t.is(opened.code, 0, opened.stderr);
  },
);

test.serial("a deleted character is not part of the passphrase", async (t) => {
  const folder = join(newFolder(), "backup");
  const result = await onTerminal(create(folder), typed("öffnex\x7f dich", "öffne dich"));
  t.is(result.code, 0, result.screen.join("\n"));
});

test.serial(
  "two different passphrases are rejected, and the folder can be used again",
  async (t) => {
    const folder = join(newFolder(), "backup");
    const result = await onTerminal(create(folder), typed("one", "other"));
    t.is(result.code, 2);
    t.is(result.screen.at(-1), "backuptool: the two passphrases are not the same");
    t.is((await backuptool(create(folder))).code, 0);
  },
);

test.serial("an empty passphrase is rejected on the terminal", async (t) => {
  const result = await onTerminal(create(join(newFolder(), "backup")), typed("", ""));
  t.is(result.code, 2);
  t.is(result.screen.at(-1), "backuptool: the passphrase is empty");
});

for (const [name, typedBefore, act] of [
  ["Ctrl-C", "half", { type: "\x03" }],
  ["Ctrl-D", "", { type: "\x04" }],
  ["SIGINT", "half", { signal: "SIGINT" }],
  ["SIGTERM", "half", { signal: "SIGTERM" }],
] as const) {
  test.serial(
    `${name} at the prompt ends with 130 and leaves the terminal as it was`,
    async (t) => {
      const folder = join(newFolder(), "backup");
      const result = await onTerminal(create(folder), [
        { expect: "passphrase:", type: typedBefore },
        { expect: `\\*{${typedBefore.length}}`, ...act },
      ]);
      t.is(result.code, 130);
      t.is(result.screen.at(-1), "backuptool: interrupted at the prompt");
      t.true(result.restored);
      t.true(result.raw.toString().lastIndexOf("\x1b[?25h") > result.raw.lastIndexOf("\x1b[?25l"));
      t.true(!existsSync(folder) || readdirSync(folder).length === 0);
    },
  );
}

test.serial("a prompt that could not be seen is an error", async (t) => {
  const program = 'exec node "$0" "$@" 2>"$LOG"';
  const log = join(newFolder(), "log");
  const result = await onTerminal(create(join(newFolder(), "backup")), [], {
    shell: program,
    env: { LOG: log },
  });
  t.is(result.code, 2);
  t.deepEqual(result.screen, []);
});

test.serial(
  "clear on a terminal lists what it deletes, and deletes nothing without a yes",
  async (t) => {
    const args = ["clear", "--skip-ceph", "--etcd", etcd.endpoint];
    const before = await etcd.pairs();
    for (const answer of ["n\r", "\r", "\x03"]) {
      const { code, screen, stdout } = await onTerminal(args, [
        { expect: "delete all of it\\? \\(y/N\\)", type: answer },
      ]);
      t.is(code, answer === "\x03" ? 130 : 1);
      t.deepEqual(screen.slice(0, 2), [
        "about to delete, for good:",
        ` - 1 key of etcd at ${etcd.endpoint}`,
      ]);
      t.is(stdout.toString(), "");
      t.deepEqual(await etcd.pairs(), before);
    }
  },
);

test.serial("clear deletes after a yes, and with --yes it does not ask", async (t) => {
  const args = ["clear", "--skip-ceph", "--etcd", etcd.endpoint];
  const asked = await onTerminal(args, [{ expect: "delete all of it\\?", type: "y\r" }]);
  t.is(asked.code, 0);
  t.is(asked.stdout.toString(), "deleted etcd keys\ndone\n");
  t.deepEqual(await etcd.pairs(), []);
  await etcd.ctl("put", "key", "value");
  const told = await onTerminal([...args, "--yes"], []);
  t.is(told.code, 0);
  t.false(told.raw.includes("?"));
  t.deepEqual(await etcd.pairs(), []);
  await etcd.ctl("put", "key", "value");
});

test.serial(
  "without a terminal, clear and snapshot delete need --yes, whatever is piped in",
  async (t) => {
    const before = await etcd.pairs();
    const clear = ["clear", "--skip-ceph", "--etcd", etcd.endpoint];
    const name = "Full-00000000-00000000-1600000000";
    const store = newFolder();
    const deletion = ["snapshot", "delete", name, "--store", `file://${store}`];
    forgeSnapshot(store, { time: 1_600_000_000 });
    for (const input of ["n\n", "y\n", ""]) {
      for (const args of [clear, deletion]) {
        const { code, stderr } = await backuptool(args, { input });
        t.is(code, 2, stderr);
        t.regex(stderr, /cannot ask before it deletes: standard input is not a terminal.*--yes/s);
      }
    }
    t.deepEqual(await etcd.pairs(), before);
    t.true(existsSync(join(store, name, "MANIFEST.json")));
    t.is((await backuptool([...deletion, "--yes"])).code, 0);
    t.false(existsSync(join(store, name)));
  },
);

test.serial("convert asks for the old passphrase and then for the new one", async (t) => {
  const to = join(newFolder(), "new");
  const result = await onTerminal(
    ["convert", "--outputdir", originalFixture("intact", "incremental"), "--to", to],
    [
      ...typed(ORIGINAL_PASSPHRASE, ORIGINAL_PASSPHRASE),
      { expect: "passphrase of the new backup:", type: "new\r" },
      { expect: "same again:", type: "new\r" },
    ],
  );
  t.is(result.code, 0, result.screen.join("\n"));
  const opened = await backuptool(["inspect", "--outputdir", to], {
    env: { BACKUPTOOL_PASSPHRASE: "new" },
  });
  t.is(opened.code, 0, opened.stderr);
});
