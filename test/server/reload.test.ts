import test, { type ExecutionContext } from "ava";
import { openLog } from "../../src/server/log.js";
import { reloadOptions } from "../../src/server/reload.js";
import { BackupServer } from "../../src/server/server.js";
import type { SettingValue } from "../../src/settings/setting.js";
import { newFolder } from "../support/folders.js";
import { optionsOf } from "../support/server/options.js";

type Given = Readonly<Record<string, SettingValue>>;

/** A server that has not begun, and a reload of it with other settings, which resolves with the lines of its log. */
function newServer(t: ExecutionContext) {
  const lines: Record<string, unknown>[] = [];
  const log = openLog({
    format: "json",
    level: "info",
    colour: false,
    write: (line) => lines.push(JSON.parse(line)),
  });
  const given = { store: `file://${newFolder()}`, "leader-election": false };
  const server = new BackupServer(optionsOf(given), {
    version: "0.1.0",
    log,
    stateFolder: undefined,
    env: {},
    passphrase: async () => new Uint8Array(1),
    identity: () => ({ name: "test", url: "" }),
  });
  t.teardown(() => server.stop());
  const reload = async (changed: Given) => {
    lines.length = 0;
    await reloadOptions(server, async () => optionsOf({ ...given, ...changed }), log);
    return lines;
  };
  return { server, reload };
}

test("a reload uses new schedules, and keeps until a restart what was opened at the start", async (t) => {
  const { server, reload } = newServer(t);
  const lines = await reload({
    schedule: "30 3 * * *",
    "server-port": "9999",
    "shutdown-grace": "5s",
    "alert-command": "notify",
  });
  t.is(server.options.schedules.full, "30 3 * * *");
  t.is(server.options.http.port, 8080);
  t.is(server.options.shutdownGraceMs, 60_000);
  t.is(server.options.alerts.command, undefined);
  const kept = lines.filter(({ msg }) => msg === "These settings have changed, and need a restart");
  t.deepEqual(kept.map(({ part }) => part).sort(), ["alerts", "http", "shutdownGraceMs"]);
  t.is(lines.at(-1)?.["msg"], "The configuration was read again");
});

test("a reload with the same settings says nothing of a restart", async (t) => {
  const { reload } = newServer(t);
  const lines = await reload({});
  t.deepEqual(
    lines.map(({ msg }) => msg),
    ["The configuration was read again"],
  );
});

test("a reload with another store changes nothing at all", async (t) => {
  const { server, reload } = newServer(t);
  const before = server.options;
  const [line] = await reload({ store: `file://${newFolder()}`, schedule: "30 3 * * *" });
  t.is(server.options, before);
  t.regex(String(line?.["msg"]), /stays as it was: the stores are others now/);
});

test("a reload with wrong settings changes nothing at all", async (t) => {
  const { server, reload } = newServer(t);
  const before = server.options;
  const [line] = await reload({ schedule: "30 25 * * *" });
  t.is(server.options, before);
  t.regex(String(line?.["msg"]), /The configuration cannot be read/);
});
