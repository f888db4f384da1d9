import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import test from "ava";
import { backuptool, PASSPHRASE } from "../support/backuptool.js";
import { EtcdServer } from "../support/etcd-server.js";
import { newFolder } from "../support/folders.js";

const folder = newFolder();
const outputdir = join(folder, "backup");
let etcd: EtcdServer;

test.before(async (t) => {
  etcd = await EtcdServer.start();
  const target = ["--skip-ceph", "--etcd", etcd.endpoint, "--outputdir", outputdir];
  t.is((await backuptool(["create", ...target])).code, 0);
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
  writeFileSync(path, content);
  return path;
}

test("the passphrase comes from the first line of a file, however that ends", async (t) => {
  for (const end of ["", "\n", "\r\n", "\nanother line\n"]) {
    const { code, stderr } = await open(["--passphrase-file", file(PASSPHRASE + end)]);
    t.is(code, 0, stderr);
  }
  const named = await open([], { BACKUPTOOL_PASSPHRASE_FILE: file(PASSPHRASE) });
  t.is(named.code, 0, named.stderr);
});

test("the passphrase comes from the first line that a command prints", async (t) => {
  const command = `printf '%s\\nmore' '${PASSPHRASE}'`;
  t.is((await open(["--passphrase-command", command])).code, 0);
  t.is((await open([], { BACKUPTOOL_PASSPHRASE_COMMAND: command })).code, 0);
});

test("what is typed goes before what the environment says", async (t) => {
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

test("a wrong passphrase is told though Ceph, asked meanwhile, never answers", async (t) => {
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

test("an empty passphrase is refused wherever it comes from", async (t) => {
  for (const [args, env] of [
    [["--passphrase-file", file("\nnot here")], {}],
    [["--passphrase-command", "true"], {}],
    [[], { BACKUPTOOL_PASSPHRASE: "" }],
  ] as const) {
    const { code, stderr } = await open(args, env);
    t.is(code, 2);
    t.is(stderr, "backuptool: the passphrase is empty\n");
  }
});

test("a file that is not there, and a command that fails, are named", async (t) => {
  const gone = await open(["--passphrase-file", "/none"]);
  t.is(gone.code, 2);
  t.regex(gone.stderr, /^backuptool: the passphrase file "\/none" cannot be read; ENOENT.*\n$/);
  const failed = await open(["--passphrase-command", "echo locked >&2; exit 7"]);
  t.is(failed.code, 1);
  t.is(
    failed.stderr,
    'locked\nbackuptool: --passphrase-command "echo locked >&2; exit 7" failed: exit code 7\n',
  );
});

test("a command that reads its input finds none, and does not hang", async (t) => {
  const { code, stderr } = await open(["--passphrase-command", "cat"]);
  t.is(code, 2);
  t.is(stderr, "backuptool: the passphrase is empty\n");
});
