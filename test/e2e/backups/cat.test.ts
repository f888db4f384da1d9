import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { backuptool, cephFlags } from "../../support/program/backuptool.js";
import { dropPools, dumpPool, makePools, writeObjects } from "../../support/ceph/client.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";

test("GNU tar unpacks the output of cat, with any names and sizes", async (t) => {
  const pools = await makePools(2);
  t.teardown(() => dropPools(pools));
  const [pool = "", again = ""] = pools;
  const value = Buffer.alloc(20_000, 7);
  await writeObjects(pool, [
    { name: "plain", size: 70_000 },
    { name: "/".repeat(900), namespace: "\n", size: 10 },
    { name: "..", locator: "x", size: 10 },
    {
      name: "many large values",
      size: 3,
      omap: Array.from({ length: 1500 }, (_, i) => [`key ${i}`, value] as const),
    },
    ...Array.from({ length: 3 }, (_, i) => ({ name: `of several files ${i}`, size: 1_500_000 })),
  ]);
  const folder = newFolder();
  const outputdir = join(folder, "backup");
  const flags = ["--outputdir", outputdir, ...cephFlags(), "--skip-etcd"];
  const created = await backuptool([
    "create",
    ...flags,
    "--include-pool",
    pool,
    "--archive-size",
    "1MiB",
  ]);
  t.is(created.code, 0, created.stderr);
  t.regex(created.stdout.toString(), /ARCHIVE00002\.bin/);
  const { code, stdout, stderr } = await backuptool(["cat", "--outputdir", outputdir]);
  t.is(code, 0, stderr);
  const unpacked = join(folder, "unpacked");
  mkdirSync(unpacked);
  const tar = await runProcess("tar", ["-x", "-C", unpacked], { input: stdout });
  t.is(tar.code, 0, tar.stderr);
  t.is(tar.stderr, "");
  const sha256 = (path: string) =>
    createHash("sha256")
      .update(readFileSync(join(unpacked, path)))
      .digest("hex");
  const digests = (await dumpPool(pool)).map((line) => {
    const { name, sha256: digest } = JSON.parse(line);
    return [Buffer.from(name, "hex").toString(), digest];
  });
  const expected = new Map(digests.map(([name, digest]) => [name, digest]));
  t.is(sha256(`ceph/${pool}/-/plain`), expected.get("plain"));
  t.is(sha256(`ceph-located/${pool}/-/x/%2E%2E`), expected.get(".."));
  const slashes = "%2F"
    .repeat(900)
    .match(/.{1,240}/g)
    ?.join("%/");
  t.is(sha256(`ceph/${pool}/%0A/${slashes}`), expected.get("/".repeat(900)));
  // With the pages of an omap of 30 MB.
  const mapping = ["--restore-pool", `${pool}:${again}`];
  const restored = await backuptool(["restore", ...flags, ...mapping]);
  t.is(restored.code, 0, restored.stderr);
  t.deepEqual(await dumpPool(again), await dumpPool(pool));
});
