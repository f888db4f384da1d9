import { randomBytes } from "node:crypto";
import { join } from "node:path";
import test from "ava";
import { backuptool, PASSPHRASE, PROGRAM } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";

/** Like a library that waits for an answer that never comes. */
const KEPT_ALIVE = {
  NODE_OPTIONS: "--import=data:text/javascript,setInterval(()=>{},1000)",
};

test("the program ends with its exit code, even if a library still waits", async (t) => {
  const { code, stderr } = await backuptool(["snapshot", "list"], { env: KEPT_ALIVE });
  t.is(code, 2, stderr);
  t.regex(stderr, /there is no primary store/);
});

test("a slow reader gets all of the output before the program ends", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const value = randomBytes(1_000_000);
  await etcd.put(Buffer.from("key"), value);
  const folder = join(newFolder(), "backup");
  const create = ["create", "--skip-ceph", "--etcd", etcd.endpoint, "--outputdir", folder];
  t.is((await backuptool(create)).code, 0);
  const script = `"$N" "$P" cat --quiet --outputdir "$D" | (sleep 5; cat)`;
  const env = { N: process.execPath, P: PROGRAM, D: folder, BACKUPTOOL_PASSPHRASE: PASSPHRASE };
  const slow = await runProcess("bash", ["-o", "pipefail", "-c", script], {
    env: { ...env, ...KEPT_ALIVE },
  });
  t.is(slow.code, 0, slow.stderr);
  const all = await backuptool(["cat", "--quiet", "--outputdir", folder]);
  t.true(slow.stdout.equals(all.stdout));
  t.true(slow.stdout.length > value.length);
});
