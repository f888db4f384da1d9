import test from "ava";
import type { OperationEvent } from "../../../src/operations/events.js";
import { runBackup } from "../../../src/server/jobs/backup.js";
import { listSnapshots } from "../../../src/snapshots/catalog.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { newFolder } from "../../support/folders.js";
import { PASSPHRASE } from "../../support/program/backuptool.js";
import { optionsOf } from "../../support/server/options.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

test("a full backup of a server holds etcd's database too, an incremental only where it is to hold nothing else", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  for (const [mode, inFull, inIncremental] of [
    [undefined, true, false],
    ["both", true, false],
    ["raw", true, true],
    ["records", false, false],
  ] as const) {
    const container = newFolder();
    const { backup, stores } = optionsOf({
      "store-container": container,
      "storage-provider": "Local",
      "skip-ceph": true,
      etcd: [etcd.endpoint],
      kdf: "low-memory",
      "spool-dir": newFolder(),
      ...(mode !== undefined && { "etcd-mode": mode }),
    });
    const events: OperationEvent[] = [];
    const { signal } = new AbortController();
    const context = {
      signal,
      report: (event: OperationEvent) => events.push(event),
      passphrase: async () => Buffer.from(PASSPHRASE),
    };
    await etcd.ctl("put", "key", `${mode}`);
    await runBackup("full", backup, stores(), context);
    await etcd.ctl("put", "another", `${mode}`);
    await runBackup("incremental", backup, stores(), context);
    const store = new LocalStore({ provider: "Local", container, prefix: "" });
    const [full, incremental] = await listSnapshots(store, signal);
    const revisionOf = (found: typeof full, has: boolean) =>
      has ? found?.name.lastRevision : undefined;
    t.deepEqual([full?.facts?.kind, incremental?.facts?.kind], ["full", "incremental"]);
    t.is(full?.facts?.etcdSnapshot, revisionOf(full, inFull), mode);
    t.is(incremental?.facts?.etcdSnapshot, revisionOf(incremental, inIncremental), mode);
    const warnings = events.filter(({ type }) => type === "warning");
    t.deepEqual(warnings, [], mode);
  }
});
