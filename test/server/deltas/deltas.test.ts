import { renameSync, writeFileSync } from "node:fs";
import test, { type ExecutionContext } from "ava";
import { Deltas } from "../../../src/server/deltas/deltas.js";
import { SOLE_LEADER } from "../../../src/server/leader.js";
import { openLog } from "../../../src/server/log.js";
import { Sites } from "../../../src/server/sites.js";
import type { ServerOptions } from "../../../src/settings/server-options.js";
import { runBackup } from "../../../src/server/jobs/backup.js";
import type { DeltaStatus } from "../../../src/operations/status/delta-status.js";
import { CHEAP_KDF } from "../../support/archive/sample.js";
import { newFolder } from "../../support/folders.js";
import { optionsOf } from "../../support/server/options.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

const { lead } = SOLE_LEADER;

/** The log of a real etcd in two folders, without the rest of the server. */
async function setUp(t: ExecutionContext) {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const folders = { primary: newFolder(), secondary: newFolder() };
  const given = optionsOf({
    ...{ store: `file://${folders.primary}`, "secondary-store": `file://${folders.secondary}` },
    ...{ "leader-election": false, "skip-ceph": true, etcd: [etcd.endpoint] },
    ...{ "delta-snapshot-period": "100ms", "spool-dir": newFolder() },
  });
  const on = { ...given, backup: { ...given.backup, kdf: CHEAP_KDF } };
  const first = await newServer(t, on);
  return {
    etcd,
    ...first,
    /** Another server for the same etcd and stores. */
    another: () => newServer(t, on),
    /** As a disk that is gone. Resolves once the site is left alone. */
    breakDown: async (name: "primary" | "secondary") => {
      renameSync(folders[name], `${folders[name]}-away`);
      writeFileSync(folders[name], "");
      const { sites } = first;
      const site = sites.all.find((one) => one.name === name);
      for (let i = 0; i < 20 && site?.breaker === "closed"; i++) {
        if (site !== undefined) await sites.check(site, new AbortController().signal);
      }
    },
  };
}

async function newServer(t: ExecutionContext, on: ServerOptions) {
  const state = { options: on };
  const log = openLog({ format: "json", level: "warn", colour: false, write: () => {} });
  const abort = new AbortController();
  const { signal } = abort;
  const sites = new Sites({
    stores: () => state.options.stores(),
    retries: { maxRetries: 0, backoffMs: 100 },
    guard: lead?.guard ?? { check: () => {}, confirm: async () => {} },
    log,
    onRecovered: () => {},
    onRetry: () => {},
    onListing: (site, listing) => deltas.onListing(site, listing),
    changed: () => {},
  });
  const deltas: Deltas = new Deltas({
    sites,
    log,
    metrics: { deltaStored: () => {}, deltaBaseMade: () => {}, deltaRevisions: () => {} },
    options: () => state.options,
    passphrase: async () => Buffer.from("passphrase"),
    onFailed: () => {},
    changed: () => {},
  });
  await sites.open(signal);
  t.teardown(async () => {
    abort.abort();
    await deltas.close();
    await sites.close();
  });
  return {
    sites,
    full: async (): Promise<void> => {
      const onMade = deltas.fullBegun();
      const { backup } = on;
      const { primary, secondary } = sites.stores;
      const passphrase = async () => Buffer.from("passphrase");
      const context = { signal, report: () => {}, passphrase };
      const made = await runBackup("full", backup, { primary, secondary }, context);
      const { snapshot: name, rawRevision: revision } = made;
      if (name === undefined || revision === undefined) throw new Error("no raw snapshot");
      onMade({ name, revision, sites: ["primary", "secondary"] });
    },
    turn: (isOn: boolean) => {
      state.options = isOn ? on : { ...on, deltas: undefined };
    },
    /** Looks until the status is as wanted. */
    until: async (isSo: (status: DeltaStatus) => boolean): Promise<DeltaStatus> => {
      for (let i = 0; i < 300; i++) {
        deltas.look(lead, signal);
        const status = deltas.status();
        if (isSo(status)) return status;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      throw new Error(`still ${JSON.stringify(deltas.status())}`);
    },
  };
}

test("the log begins at the secondary store while the primary is down, and its age is told", async (t) => {
  const { etcd, breakDown, until } = await setUp(t);
  await etcd.ctl("put", "key", "value");
  await breakDown("primary");
  const revision = await etcd.revision();
  const { sites } = await until(
    (status) => (status.sites.secondary?.durableRevision ?? 0) >= revision,
  );
  t.true((sites.primary?.oldestSeconds ?? 0) > 0);
});

test("while no store can be used, the server that leads tells for how long nothing was written", async (t) => {
  const { breakDown, until } = await setUp(t);
  await breakDown("primary");
  await breakDown("secondary");
  const { state } = await until(({ sites: { primary, secondary } }) =>
    [primary, secondary].every((site) => (site?.oldestSeconds ?? 0) > 0),
  );
  t.is(state, "failing");
});

test("deltas that are turned off and on again are written, also while a store is down", async (t) => {
  const { etcd, breakDown, turn, until } = await setUp(t);
  await etcd.ctl("put", "key", "value");
  const first = await etcd.revision();
  await until(({ sites: { primary, secondary } }) =>
    [primary, secondary].every((site) => (site?.durableRevision ?? 0) >= first),
  );
  await breakDown("secondary");
  await etcd.ctl("put", "key", "later");
  const second = await etcd.revision();
  await until(({ sites }) => (sites.primary?.durableRevision ?? 0) >= second);
  turn(false);
  await until(() => true);
  turn(true);
  await etcd.ctl("put", "key", "last");
  const third = await etcd.revision();
  await until(({ sites }) => (sites.primary?.durableRevision ?? 0) >= third);
  t.pass();
});

test("what was proved counts when the server leads again, unless another one has written the log meanwhile", async (t) => {
  const { etcd, full, turn, until, another } = await setUp(t);
  const put = async (): Promise<number> => {
    await etcd.ctl("put", "key", "value");
    return await etcd.revision();
  };
  const isDurable = (revision: number) => (status: DeltaStatus) =>
    [status.sites.primary, status.sites.secondary].every(
      (site) => (site?.durableRevision ?? 0) >= revision,
    );
  await until(isDurable(await put()));
  await full();
  await until(isDurable(await put()));
  const { provenRevision } = await until((status) => status.provenRevision !== undefined);
  turn(false);
  await until(({ state }) => state === "off");
  turn(true);
  const again = await until(({ state }) => state === "following");
  t.is(again.provenRevision, provenRevision);
  turn(false);
  await until(({ state }) => state === "off");
  const other = await another();
  await other.until(isDurable(await put()));
  other.turn(false);
  await other.until(({ state }) => state === "off");
  turn(true);
  const later = await until(({ state }) => state === "following");
  t.is(later.provenRevision, undefined);
  await full();
  await until(isDurable(await put()));
  const last = await until((status) => status.provenRevision !== undefined);
  t.true((last.provenRevision ?? 0) > (provenRevision ?? 0));
});
