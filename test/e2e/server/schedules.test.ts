import test from "ava";
import { PASSPHRASE, backuptool, lines } from "../../support/program/backuptool.js";
import { RunningServer } from "../../support/program/running-server.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";

let etcd: EtcdServer;

test.before(async () => {
  etcd = await EtcdServer.start();
  await etcd.put(Buffer.from("key"), Buffer.from("value"));
});

test.after.always(() => etcd?.stop());

interface Row {
  readonly name: string;
  readonly kind: string;
  readonly primary: string;
  readonly secondary?: string;
  readonly baseName?: string;
}

/** What `snapshot list` says of two folders. */
async function listed(primary: string, secondary: string): Promise<Row[]> {
  const stores = ["--store", `file://${primary}`, "--secondary-store", `file://${secondary}`];
  const { stdout } = await backuptool(["snapshot", "list", ...stores, "--json"]);
  return lines(stdout)
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === "snapshot");
}

test("a day of schedules in a minute leaves both sites with what the rules say, and all of it restores", async (t) => {
  const [primary, secondary] = [newFolder(), newFolder()];
  const server = await RunningServer.start([
    ...["--store", `file://${primary}`, "--secondary-store", `file://${secondary}`],
    ...["--etcd", etcd.endpoint, "--skip-ceph", "--leader-ttl", "2s"],
    ...["--schedule", "*/12 * * * * *", "--incremental-schedule", "*/3 * * * * *"],
    ...["--garbage-collection-policy", "LimitBased", "--max-backups", "2"],
    ...["--garbage-collection-period", "5s", "--backup-sync-period", "5s"],
    ...["--verify-schedule", "*/15 * * * * *", "--verify-subset", "50%"],
  ]);
  try {
    // The fourth full backup: the first must be gone by then.
    let fulls = 0;
    await server.until("four full backups", async () => {
      fulls = server.log.filter(({ msg, job }) => msg === "Job done" && job === "full").length;
      return fulls >= 4;
    });
    await server.until("a deletion on both sites", async () => {
      const stores = new Set(
        server.log.filter(({ msg }) => msg === "Deleted a snapshot").map(({ store }) => store),
      );
      return stores.size === 2;
    });
    await server.until("two verifications", async () => {
      const done = server.log.filter(({ msg, job }) => msg === "Job done" && job === "verify");
      return done.length >= 2;
    });
  } finally {
    t.is(await server.stop(), 0);
  }
  t.deepEqual(server.other, []);
  t.false(server.output.includes(PASSPHRASE));
  t.deepEqual(
    server.log.filter(({ level }) => level === "error" || level === "fatal"),
    [],
  );

  const rows = await listed(primary, secondary);
  t.true(rows.length > 0);
  for (const row of rows) {
    t.is(row.primary, "complete", row.name);
    // The last backup may have been made after the last sync.
    if (row.name !== rows.at(-1)?.name) t.is(row.secondary, "complete", row.name);
    t.not(row.baseName, "missing");
  }
  const fulls = rows.filter(({ kind }) => kind === "full");
  // Two, and one that was made since the last collection.
  t.true(fulls.length >= 2 && fulls.length <= 3, JSON.stringify(fulls));
  for (const site of [primary, secondary]) {
    for (const { name } of rows) {
      const { code, stderr } = await backuptool([
        "inspect",
        ...["--store", `file://${site}`, "--snapshot", name],
      ]);
      t.is(code, 0, stderr);
    }
  }
});
