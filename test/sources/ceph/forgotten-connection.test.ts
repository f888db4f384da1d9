import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { env } from "../../support/program/backuptool.js";
import { dropPools, makePools } from "../../support/ceph/client.js";
import { newFolder } from "../../support/folders.js";
import { ForgettingProxy } from "../../support/network/forgetting-proxy.js";
import { runProcess } from "../../support/program/processes.js";

const SOURCE = fileURLToPath(
  new URL("../../../../test/support/ceph/redirected-connect.c", import.meta.url),
);
const SESSION = fileURLToPath(new URL("../../support/ceph/session.js", import.meta.url));
const library = join(newFolder(), "redirected-connect.so");

const TIMEOUT_SECONDS = 24;
/** More than half of the timeout of an operation. */
const IDLE_MS = 14_000;

let pools: string[] = [];
test.before(async () => {
  const args = ["-shared", "-fPIC", "-o", library, SOURCE, "-ldl"];
  const { code, stderr } = await runProcess("cc", args);
  if (code !== 0) throw new Error(stderr);
  pools = await makePools(1);
});
test.after.always(() => dropPools(pools));

/** The port of the only monitor or OSD for messenger protocol 2. */
async function portOf(daemon: "mon" | "osd"): Promise<number> {
  const ceph = ["-c", env("CEPH_CONF"), "--keyring", env("CEPH_KEYRING_ADMIN"), daemon, "dump"];
  const { code, stdout, stderr } = await runProcess("ceph", [...ceph, "--format", "json"]);
  if (code !== 0) throw new Error(stderr);
  const dump = JSON.parse(stdout.toString());
  const [{ public_addrs }] = dump[`${daemon}s`];
  const { addr } = public_addrs.addrvec.find(({ type }: { type: string }) => type === "v2");
  return Number(/:(\d+)$/.exec(addr)?.[1]);
}

/** A program with one connection to Ceph that reaches `daemon` through a proxy. */
async function session(t: ExecutionContext, daemon: "mon" | "osd", timeoutSeconds: number) {
  const port = await portOf(daemon);
  const proxy = await ForgettingProxy.start(`127.0.0.1:${port}`);
  const child = spawn(process.execPath, [SESSION, pools[0] ?? "", `${timeoutSeconds}`], {
    env: {
      ...process.env,
      LD_PRELOAD: library,
      REDIRECT_FROM: `${port}`,
      REDIRECT_TO: proxy.endpoint.split(":")[1],
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.teardown(() => {
    child.kill("SIGKILL");
    proxy.close();
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const use = async (): Promise<unknown> => {
    child.stdin.write(`${daemon}\n`);
    return (await answers.next()).value;
  };
  return { proxy, use };
}

for (const daemon of ["osd", "mon"] as const) {
  test(`a connection to the ${daemon} that a firewall dropped while it was idle is replaced`, async (t) => {
    const { proxy, use } = await session(t, daemon, TIMEOUT_SECONDS);
    for (let round = 0; round < 2; round++) {
      t.is(await use(), "done");
      const { connections } = proxy;
      t.true(connections > 0);
      // A firewall drops connections that are idle.
      await sleep(IDLE_MS);
      proxy.forget();
      t.is(await use(), "done");
      t.true(proxy.connections > connections);
    }
  });
}
