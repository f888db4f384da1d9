import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { newFolder } from "../../support/folders.js";
import { backuptool } from "../../support/program/backuptool.js";
import { RunningServer } from "../../support/program/running-server.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

const isSnapshot = (name: string): boolean => /^(Full|Incr)-/.test(name);
const snapshotsIn = (folder: string): string[] => readdirSync(folder).filter(isSnapshot).sort();

test("a mirror follows the retention of the primary, and keeps its copies when the primary is wiped", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  await etcd.put(Buffer.from("key"), Buffer.from("value"));
  const [primary, secondary] = [newFolder(), newFolder()];
  const server = await RunningServer.start([
    ...["--store", `file://${primary}`, "--secondary-store", `file://${secondary}`],
    ...["--etcd", etcd.endpoint, "--skip-ceph", "--no-leader-election"],
    ...["--schedule", "*/4 * * * * *", "--incremental-schedule", "off", "--verify-schedule", "off"],
    ...["--garbage-collection-policy", "LimitBased", "--max-backups", "3"],
    ...["--garbage-collection-period", "4s", "--backup-sync-period", "3s"],
    ...["--backup-sync-deletion", "mirror", "--mirror-grace-period", "2s"],
  ]);
  try {
    // What retention deletes from the primary goes from the secondary.
    await server.until("a mirrored deletion", async () =>
      server.log.some(({ msg, job }) => msg === "Deleted a snapshot" && job === "sync"),
    );
    const held = await backuptool([
      ...["snapshot", "hold", snapshotsIn(secondary)[0] ?? "", "--from", "secondary"],
      ...["--store", `file://${primary}`, "--secondary-store", `file://${secondary}`],
    ]);
    t.is(held.code, 0, held.stderr);
    // Somebody, or a disk, wipes the primary. The folder itself stays.
    const before = snapshotsIn(secondary);
    for (const name of snapshotsIn(primary)) {
      rmSync(join(primary, name), { recursive: true, force: true });
    }
    await server.until("a refusal", async () =>
      server.log.some(({ code }) => code === "MIRROR_REFUSED"),
    );
    const made = server.log.filter(({ msg }) => msg === "Backup stored").length;
    await server.until("three more backups", async () => {
      const now = server.log.filter(({ msg }) => msg === "Backup stored").length;
      return now >= made + 3;
    });
    await server.until("an alert", async () =>
      server.log.some(({ alert }) => alert === "mirror-refused"),
    );
    const after = snapshotsIn(secondary);
    const lost = before.filter((name) => !after.includes(name));
    // The last of them may have been on its way out already.
    t.true(lost.length <= 1, `${lost} of ${before}`);
    t.true(after.length > before.length - lost.length);
  } finally {
    t.is(await server.stop(), 0);
  }
  for (const name of snapshotsIn(secondary)) {
    const { code, stderr } = await backuptool([
      ...["inspect", "--store", `file://${secondary}`, "--snapshot", name],
    ]);
    t.is(code, 0, stderr);
  }
});
