import { readdirSync } from "node:fs";
import { join } from "node:path";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import test from "ava";
import { backuptool, cephFlags } from "../../support/program/backuptool.js";
import { dropPools, makePools, writeObjects } from "../../support/ceph/client.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";
import { folderStore } from "../../support/stores/flags.js";

const SOURCE = fileURLToPath(
  new URL("../../../../test/support/program/failing-sync.c", import.meta.url),
);
const library = join(newFolder(), "failing-sync.so");

let pools: string[] = [];
test.before(async () => {
  const args = ["-shared", "-fPIC", "-o", library, SOURCE, "-ldl"];
  const { code, stderr } = await runProcess("cc", args);
  if (code !== 0) throw new Error(stderr);
  pools = await makePools(1);
  // More than is written before the first sync.
  await writeObjects(pools[0] ?? "", [{ name: "large", size: 48 << 20 }]);
});
test.after.always(() => dropPools(pools));

for (const call of ["fdatasync", "fsync"]) {
  test(`when the disk loses data, and only one ${call} fails, nothing is complete`, async (t) => {
    const outputdir = join(newFolder(), "backup");
    const stored = newFolder();
    const store = folderStore(stored);
    const source = [...cephFlags(), "--skip-etcd", "--include-pool", pools[0] ?? ""];
    const env = { LD_PRELOAD: library, FAILING_SYNC: call };
    const create = (...target: string[]) =>
      backuptool(["create", ...source, ...target], { env: { ...env, ...store.env() } });
    const folder = await create("--outputdir", outputdir);
    t.is(folder.code, 1, folder.stderr);
    t.regex(folder.stderr, /EIO/);
    t.false(readdirSync(outputdir).includes("MANIFEST.json"));
    // A store syncs once, at the end of each file.
    if (call === "fdatasync") return;
    const made = await create(...store.flags());
    t.is(made.code, 1, made.stderr);
    t.regex(made.stderr, /the disk lost written data \(EIO\)/);
    const [snapshot = ""] = readdirSync(stored);
    t.false(readdirSync(join(stored, snapshot)).includes("MANIFEST.json"));
  });
}

for (const [errno, code] of [
  ["EINVAL", 0],
  ["ENOTSUP", 0],
  ["EIO", 1],
] as const) {
  test(`a folder whose sync fails with ${errno} ends a create with exit code ${code}`, async (t) => {
    const store = folderStore(newFolder());
    const source = [...cephFlags(), "--skip-etcd", "--include-pool", pools[0] ?? ""];
    const env = { LD_PRELOAD: library, FAILING_FOLDER_SYNC: String(constants.errno[errno]) };
    const create = (...target: string[]) =>
      backuptool(["create", ...source, ...target], { env: { ...env, ...store.env() } });
    const folder = await create("--outputdir", join(newFolder(), "backup"));
    t.is(folder.code, code, folder.stderr);
    if (code === 1) t.regex(folder.stderr, /EIO/);
    const made = await create(...store.flags());
    t.is(made.code, code, made.stderr);
  });
}
