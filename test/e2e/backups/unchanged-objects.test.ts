import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { backuptool, cephFlags, env } from "../../support/program/backuptool.js";
import {
  dropPools,
  dumpPool,
  makePools,
  tellMonitors,
  writeObjects,
} from "../../support/ceph/client.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";

/** Ways to keep size and mtime of an object with other content. */

const MTIME = 1_700_000_000;
const PLAIN = { name: "plain", data: "is not touched", mtime: MTIME };

let pools: string[] = [];
test.before(async () => {
  pools = await makePools(7);
});
test.after.always(() => dropPools(pools));

const write = (pool: string, data: string) =>
  writeObjects(pool, [{ name: "object", data, mtime: MTIME }]);

async function rados(pool: string, ...args: string[]): Promise<void> {
  const who = ["-c", env("CEPH_CONF"), "--keyring", env("CEPH_KEYRING_ADMIN")];
  const { code, stderr } = await runProcess("rados", [...who, "-p", pool, ...args]);
  if (code !== 0) throw new Error(stderr);
}

/** A full backup of `pool`, an incremental after `change`, and both restored into `target`. */
async function chain(
  t: ExecutionContext,
  pool: string,
  target: string,
  change: () => Promise<void>,
): Promise<void> {
  const [full, incremental] = [join(newFolder(), "full"), join(newFolder(), "incremental")];
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await backuptool([...args, "--skip-etcd", ...cephFlags()]);
    t.is(code, 0, stderr);
    return stdout.toString();
  };
  await run("create", "--outputdir", full, "--include-pool", pool);
  await change();
  const over = ["--include-pool", pool, "--incremental-over", full];
  const said = await run("create", "--outputdir", incremental, ...over);
  t.notRegex(said, /included 0 ceph objects/);
  const of = ["--outputdir", incremental, "--with-base", full];
  await run("restore", ...of, "--restore-pool", `${pool}:${target}`);
  t.deepEqual(await dumpPool(target), await dumpPool(pool));
}

test("a client that sets the old mtime is noticed", async (t) => {
  const [pool = "", target = ""] = pools;
  await write(pool, "before");
  await writeObjects(pool, [PLAIN]);
  await chain(t, pool, target, () => write(pool, "after!"));
});

test("an object that was rolled back to a snapshot is noticed", async (t) => {
  const [, , pool = "", target = ""] = pools;
  await write(pool, "before");
  await writeObjects(pool, [PLAIN]);
  await tellMonitors({ prefix: "osd pool mksnap", pool, snap: "snap" });
  await write(pool, "after!");
  await chain(t, pool, target, () => rados(pool, "rollback", "object", "snap"));
});

test("all of a pool that was renamed to the name of another is read", async (t) => {
  const [, , , , pool = "", other = "", target = ""] = pools;
  for (const [into, data] of [
    [pool, "before"],
    [other, "after!"],
  ] as const) {
    await write(into, data);
    await writeObjects(into, [PLAIN]);
  }
  await chain(t, pool, target, async () => {
    const rename = (srcpool: string, destpool: string) =>
      tellMonitors({ prefix: "osd pool rename", srcpool, destpool });
    await rename(pool, `${pool}-old`);
    await rename(other, pool);
    pools.push(`${pool}-old`);
  });
});
