import test from "ava";
import { backuptool, lines } from "../../support/program/backuptool.js";
import { newFolder } from "../../support/folders.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

test("the commands that end the help work as typed", async (t) => {
  const { stdout } = await backuptool(["--help"]);
  const typed = [
    ...stdout.toString().matchAll(/^ {2}backuptool ((?:create|inspect|restore).*)$/gm),
  ];
  t.deepEqual(
    typed.map(([, line]) => line?.split(" ")[0]),
    ["create", "inspect", "restore"],
  );
  const etcd = await EtcdServer.start();
  try {
    await etcd.put(Buffer.from("key"), Buffer.from("value"));
    const cwd = newFolder();
    // The default endpoint may be in use on this machine.
    const env = { BACKUPTOOL_ETCD: etcd.endpoint };
    for (const [, line = ""] of typed) {
      const args = line.replace("10.0.0.2:2379", etcd.endpoint).split(" ");
      const { code, stderr } = await backuptool(args, { cwd, env });
      t.is(code, 0, stderr);
    }
  } finally {
    await etcd.stop();
  }
});

for (const args of ["create --help", "create -h", "snapshot --help", "snapshot list -h", "-h"]) {
  test(`help goes to standard output: ${args}`, async (t) => {
    const { code, stdout, stderr } = await backuptool(args.split(" "));
    t.is(code, 0);
    t.is(stderr, "");
    const command = args.replace(/ ?-.*/, "");
    t.true(stdout.toString().includes(`Usage: backuptool ${command}`));
  });
}

test("--version prints the version alone, before and after a command", async (t) => {
  for (const args of [["--version"], ["snapshot", "list", "--version"]]) {
    const { code, stdout } = await backuptool(args);
    t.is(code, 0);
    t.regex(stdout.toString(), /^\d+\.\d+\.\d+\n$/);
  }
});

test("without a command the help goes to standard error, with exit code 2", async (t) => {
  const { code, stdout, stderr } = await backuptool([]);
  t.is(code, 2);
  t.is(stdout.toString(), "");
  t.regex(stderr, /^ {2}backuptool inspect$/m);
  t.is(lines(Buffer.from(stderr)).at(-1), "backuptool: no command is given");
});
