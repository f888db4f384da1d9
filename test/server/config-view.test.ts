import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { configView } from "../../src/server/config-view.js";
import { openLog } from "../../src/server/log.js";
import { Site } from "../../src/server/site.js";
import type { ServerOptions } from "../../src/settings/server-options.js";
import type { StoreConfig } from "../../src/snapstore/config.js";
import { newFolder } from "../support/folders.js";
import { call, json, openHttp } from "../support/server/http.js";
import { optionsOf } from "../support/server/options.js";

/** In every secret that is planted. */
const PLANTED = "planted";

function withSecrets(): ServerOptions {
  const tokenFile = join(newFolder(), "token");
  writeFileSync(tokenFile, `${PLANTED}-token-0123456789`, { mode: 0o600 });
  return optionsOf(
    {
      store: "s3://backups/cluster-a",
      "secondary-store": "swift://vault/cluster-a",
      etcd: ["https://db-0:2379", "https://db-1:2379"],
      user: `root:${PLANTED}-in-user`,
      "server-url": `https://admin:${PLANTED}-in-url@backup.example.com/?key=${PLANTED}`,
      "server-token-file": tokenFile,
      "alert-webhook": `https://hooks.example.com/services/${PLANTED}`,
      "alert-command": `notify --password ${PLANTED}`,
      "backup-sync-deletion": "mirror",
    },
    {
      AWS_ACCESS_KEY_ID: `${PLANTED}-id`,
      AWS_SECRET_ACCESS_KEY: `${PLANTED}-key`,
      AWS_SESSION_TOKEN: `${PLANTED}-session`,
      AWS_ENDPOINT_URL_S3: "https://s3.example.com",
      AWS_SSE_CUSTOMER_KEY: Buffer.from(`${PLANTED}-32-bytes-of-a-customer`).toString("base64"),
      SECONDARY_OS_AUTH_URL: "https://keystone.example.com/v3",
      SECONDARY_OS_USERNAME: "swift",
      SECONDARY_OS_PASSWORD: `${PLANTED}-password`,
      SECONDARY_OS_PROJECT_NAME: "backups",
      BACKUPTOOL_PASSPHRASE: `${PLANTED}-passphrase`,
    },
  );
}

test("the secrets of the test are in the options, so that the view could show them", (t) => {
  const options = withSecrets();
  const all = JSON.stringify([options, options.stores()]);
  for (const secret of ["in-user", "key", "session", "password", "in-url"]) {
    t.true(all.includes(`${PLANTED}-${secret}`), secret);
  }
});

test("no path of the server shows a secret of its configuration", async (t) => {
  const options = withSecrets();
  const { http, core } = await openHttp(t, { tokenFile: options.http.tokenFile });
  core.configuration = configView(options);
  for (const path of ["/config", "/status", "/", "/metrics", "/snapshots", "/snapshot/latest"]) {
    const { body } = await call(http.url, path);
    t.notRegex(body, new RegExp(PLANTED, "i"), path);
    t.false(body.includes(Buffer.from(PLANTED).toString("base64").slice(0, 9)), path);
  }
});

test("/config shows what an operator looks for", async (t) => {
  const { http, core } = await openHttp(t);
  core.configuration = configView(withSecrets());
  const config = json(await call(http.url, "/config"));
  t.like(config, {
    stores: {
      primary: { provider: "S3", container: "backups", prefix: "cluster-a" },
      secondary: { provider: "Swift", container: "vault", prefix: "cluster-a" },
    },
    backup: { etcd: { endpoints: ["https://db-0:2379", "https://db-1:2379"] } },
    schedules: { full: "0 2 * * *", incremental: "0 * * * *", timeZone: "UTC" },
    sync: { periodMs: 3_600_000, mirror: { maxDeleteFraction: 0.5, graceMs: 86_400_000 } },
    leader: { key: null, ttlMs: 15_000 },
    http: { host: "127.0.0.1", port: 8080, url: "https://backup.example.com/", token: true },
    alerts: { webhook: true, command: true, maxBackupAgeMs: 93_600_000 },
  });
});

test("the parameters of an rclone remote are shown nowhere", (t) => {
  const options = optionsOf(
    { store: "rclone:remote:bucket", "skip-etcd": true, "leader-election": false },
    {},
  );
  const { primary } = options.stores();
  const container = `:s3,secret_access_key=${PLANTED}:bucket`;
  const config: StoreConfig = { provider: "Rclone", container, prefix: "p" };
  const stores = () => ({ primary: { ...primary, config } });
  const view = JSON.parse(JSON.stringify(configView({ ...options, stores })));
  t.like(view.stores.primary, { provider: "Rclone", container: ":s3,…:bucket", prefix: "p" });
  const site = new Site(
    "primary",
    { ...primary, config },
    {
      retries: { maxRetries: 0, backoffMs: 1 },
      guard: { check: () => {}, confirm: async () => {} },
      log: openLog({ level: "warn", format: "json", colour: false, write: () => {} }),
      onRecovered: () => {},
      onRetry: () => {},
    },
  );
  t.is(site.label, "Rclone::s3,…:bucket/p");
});

test("a server with one store and without election shows so", (t) => {
  const options = optionsOf(
    { store: "s3://b/p", "leader-election": false, "skip-etcd": true },
    { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" },
  );
  const view = JSON.parse(JSON.stringify(configView(options)));
  t.is(view.stores.secondary, null);
  t.is(view.sync, null);
  t.is(view.leader, null);
  t.is(view.http.token, false);
});
