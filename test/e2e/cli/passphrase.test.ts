import { existsSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import test from "ava";
import { FolderFiles } from "../../../src/archive/backup-files.js";
import { PassphraseKeys } from "../../../src/archive/crypto/backup-keys.js";
import { BackupReader } from "../../../src/archive/backup-reader.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { backuptool, PASSPHRASE } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import { samplePassphrase, writeSample } from "../../support/archive/sample.js";

const folder = newFolder();
const outputdir = join(folder, "backup");
let etcd: EtcdServer;

test.before(async () => {
  etcd = await EtcdServer.start();
  // A cheap key slot, since many runs open it.
  await writeSample(outputdir, {}, { passphrase: samplePassphrase(PASSPHRASE) });
});
test.after.always(() => etcd?.stop());

const NONE = { BACKUPTOOL_PASSPHRASE: undefined };
function open(args: readonly string[], env: Record<string, string | undefined> = {}) {
  return backuptool(["inspect", "--quick", "--outputdir", outputdir, ...args], {
    env: { ...NONE, ...env },
  });
}
function file(content: string): string {
  const path = join(newFolder(), "passphrase");
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

test("a passphrase from any source opens a backup, with a line end or a byte order mark", async (t) => {
  for (const end of ["", "\n", "\r\n"]) {
    for (const before of ["", "\ufeff"]) {
      const given = before + PASSPHRASE + end;
      const command = `printf '%s' '${given}'`;
      for (const { code, stderr } of [
        await open(["--passphrase-file", file(given)]),
        await open(["--passphrase-command", command]),
        await open([], { BACKUPTOOL_PASSPHRASE: given }),
      ]) {
        t.is(code, 0, stderr);
        t.notRegex(stderr, /earlier versions/);
      }
    }
  }
  const named = await open([], { BACKUPTOOL_PASSPHRASE_FILE: file(PASSPHRASE) });
  t.is(named.code, 0, named.stderr);
  const command = { BACKUPTOOL_PASSPHRASE_COMMAND: `echo '${PASSPHRASE}'` };
  t.is((await open([], command)).code, 0);
});

// Earlier versions used the first line of a file and of a command, but all of a variable, so whether a text opened a
// backup depended on its source.
test("two lines from any source open a backup that an earlier version made with the first, with a warning", async (t) => {
  const given = `${PASSPHRASE}\nanother line\n`;
  for (const { code, stderr } of [
    await open(["--passphrase-file", file(given)]),
    await open(["--passphrase-command", `printf '%s' '${given}'`]),
    await open([], { BACKUPTOOL_PASSPHRASE: given }),
  ]) {
    t.is(code, 0, stderr);
    t.regex(stderr, /opens with the passphrase as earlier versions read it/);
  }
});

test("a new backup has the form of the rule, from any source of the passphrase", async (t) => {
  // As typed on macOS and on Linux.
  const [decomposed, composed] = ["cafe\u0301", "caf\u00e9"];
  for (const [args, env] of [
    [["--passphrase-file", file(`\ufeff${decomposed}\r\n`)], {}],
    [["--passphrase-command", `echo '${decomposed}'`], {}],
    [[], { BACKUPTOOL_PASSPHRASE: `${decomposed}\n` }],
  ] as const) {
    const made = join(newFolder(), "backup");
    const target = ["--skip-ceph", "--etcd", etcd.endpoint, "--outputdir", made];
    const created = await backuptool(["create", ...target, ...args], { env: { ...NONE, ...env } });
    t.is(created.code, 0, created.stderr);
    const keys = new PassphraseKeys(Buffer.from(composed));
    const pool = new SealPool(1);
    await t.notThrowsAsync(BackupReader.open(new FolderFiles(made), keys, pool));
    await pool.close();
    t.true(keys.forms.length === 1);
  }
});

test("a passphrase that cannot be typed the same way makes no backup, from any source", async (t) => {
  const given = "one\u200b line\nand more";
  const target = ["--skip-ceph", "--etcd", etcd.endpoint];
  for (const [args, env] of [
    [["--passphrase-file", file("one\nmore\n")], {}],
    [["--passphrase-command", "printf 'one\\nmore'"], {}],
    [[], { BACKUPTOOL_PASSPHRASE: given }],
  ] as const) {
    const made = join(newFolder(), "backup");
    const { code, stderr } = await backuptool(["create", ...target, "--outputdir", made, ...args], {
      env: { ...NONE, ...env },
    });
    t.is(code, 2);
    t.regex(stderr, /^backuptool: the passphrase has more than one line; [^\n]*\n$/);
    t.false(existsSync(join(made, "METADATA.bin")));
  }
});

test("a typed passphrase flag has precedence over the environment", async (t) => {
  const right = ["--passphrase-file", file(PASSPHRASE)];
  t.is((await open(right, { BACKUPTOOL_PASSPHRASE: "wrong" })).code, 0);
  t.is((await open(right, { BACKUPTOOL_PASSPHRASE_COMMAND: "echo wrong" })).code, 0);
  const command = ["--passphrase-command", `echo '${PASSPHRASE}'`];
  t.is((await open(command, { BACKUPTOOL_PASSPHRASE_FILE: file("wrong") })).code, 0);
});

test("a wrong passphrase ends with 10", async (t) => {
  const { code, stderr } = await open([], { BACKUPTOOL_PASSPHRASE: "wrong" });
  t.is(code, 10);
  t.is(stderr.trim().split("\n").length, 1);
});

test("a wrong passphrase is an error though Ceph never answers", async (t) => {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  t.teardown(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const conf = join(newFolder(), "ceph.conf");
  writeFileSync(conf, `[global]\nmon_host = [v2:127.0.0.1:${port}]\nauth_client_required = none\n`);
  const { code, stderr } = await backuptool(
    ["restore", "--outputdir", outputdir, "--cephconf", conf, "--skip-etcd"],
    { env: { BACKUPTOOL_PASSPHRASE: "wrong" } },
  );
  t.is(code, 10, stderr);
  t.regex(stderr, /^backuptool: [^\n]*passphrase[^\n]*\n$/);
});

test("no passphrase and no terminal is an error at once", async (t) => {
  const { code, stderr } = await open([]);
  t.is(code, 2);
  t.is(
    stderr,
    "backuptool: there is no passphrase, and no terminal to ask for it; use --passphrase-file, --passphrase-command or BACKUPTOOL_PASSPHRASE\n",
  );
});

test("an empty passphrase is rejected from any source", async (t) => {
  for (const [args, env] of [
    [["--passphrase-file", file("\ufeff\r\n")], {}],
    [["--passphrase-file", file("")], {}],
    [["--passphrase-command", "true"], {}],
    [["--passphrase-command", "echo"], {}],
    [[], { BACKUPTOOL_PASSPHRASE: "" }],
  ] as const) {
    const { code, stderr } = await open(args, env);
    t.is(code, 2);
    t.is(stderr, "backuptool: the passphrase is empty\n");
  }
});

test("the errors of a missing file and of a failed command name them", async (t) => {
  const gone = await open(["--passphrase-file", "/none"]);
  t.is(gone.code, 2);
  t.regex(gone.stderr, /^backuptool: the passphrase file "\/none" cannot be read; ENOENT.*\n$/);
  const failed = await open(["--passphrase-command", "echo locked >&2; exit 7"]);
  t.is(failed.code, 1);
  t.is(
    failed.stderr,
    "locked\nbackuptool: the passphrase command failed with exit code 7; run it by hand to see what is wrong with it (--passphrase-command)\n",
  );
});

test("a command that reads its input gets none, and does not hang", async (t) => {
  const { code, stderr } = await open(["--passphrase-command", "cat"]);
  t.is(code, 2);
  t.is(stderr, "backuptool: the passphrase is empty\n");
});
