import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { newFolder } from "../../support/folders.js";
import { Authority } from "../../support/network/certificates.js";
import { backuptool } from "../../support/program/backuptool.js";
import { forgeSnapshot } from "../../support/stores/forged-snapshots.js";

const HOUR = 3600;
const now = Math.floor(Date.now() / 1000);

/** Two stores: the primary has a full backup and an incremental, the secondary the full one alone. */
function stores() {
  const [primary, secondary] = [newFolder(), newFolder()];
  const full = forgeSnapshot(primary, { time: now - 5 * HOUR });
  const over = forgeSnapshot(primary, { time: now - HOUR, base: full });
  cpSync(full.folder, join(secondary, full.name), { recursive: true });
  return { primary, secondary, full, over };
}

function statusOf(
  primary: string,
  secondary: string,
  ...more: readonly string[]
): ReturnType<typeof backuptool> {
  const stores = ["--store", `file://${primary}`, "--secondary-store", `file://${secondary}`];
  return backuptool(["status", ...stores, ...more]);
}

/** The status in the output of `--json`. */
function reportOf(stdout: string | Buffer) {
  const report = JSON.parse(stdout.toString());
  return { ...report, names: report.alerts.map(({ key }: { key: string }) => key) };
}

test("stores with backups that are new enough are good", async (t) => {
  const { primary, secondary, full, over } = stores();
  const { code, stdout, stderr } = await statusOf(primary, secondary);
  t.is(code, 0, stderr);
  t.deepEqual(stdout.toString().trimEnd().split("\n"), [
    `primary: file://${primary}`,
    `  newest restorable:  ${over.name}, 1h old`,
    `  newest full:        ${full.name}`,
    "  snapshots:          2 complete, 0 unfinished, 0 damaged, 0 held; 2.54 KiB",
    `secondary: file://${secondary}`,
    `  newest restorable:  ${full.name}, 5h old`,
    `  newest full:        ${full.name}`,
    "  snapshots:          1 complete, 0 unfinished, 0 damaged, 0 held; 1.27 KiB",
    "sync: the secondary lacks 1 snapshot, 1.27 KiB, the oldest of 1h ago",
    "no alerts",
  ]);
});

test("an old backup, a damaged one and an empty store exit with 3", async (t) => {
  const { primary, secondary, over } = stores();
  mkdirSync(join(primary, ".backuptool", "holds"), { recursive: true });
  writeFileSync(join(primary, ".backuptool", "holds", over.name), "not JSON");
  const old = await statusOf(primary, secondary, "--max-backup-age-alert", "2h", "--json");
  t.is(old.code, 3, old.stderr);
  const report = reportOf(old.stdout);
  t.is(report.type, "status");
  t.deepEqual(report.names, ["backup-too-old/secondary"]);
  t.is(report.sites.primary.newestRestorable.snapshot, over.name);
  t.is(report.sites.primary.snapshots.held, 2);
  appendFileSync(join(over.folder, "INDEX.bin"), "longer");
  rmSync(secondary, { recursive: true });
  mkdirSync(secondary);
  const damaged = await statusOf(primary, secondary);
  t.is(damaged.code, 3);
  const [first, second] = damaged.stdout.toString().match(/^ALERT .*/gm) ?? [];
  t.regex(first ?? "", /verification-failed: .* has 1 damaged snapshot, the newest of them Incr-/);
  t.regex(second ?? "", /backup-too-old: .* has no backup that can be restored/);
});

test("a secondary that lags for too long is an alert, unless nothing keeps it in step", async (t) => {
  const { primary, secondary } = stores();
  const late = await statusOf(primary, secondary, "--max-sync-lag-alert", "30m", "--json");
  t.is(late.code, 3, late.stderr);
  const { names, sync, alerts } = reportOf(late.stdout);
  t.deepEqual(names, ["sync-lag"]);
  t.like(sync, { enabled: true, lag: { snapshots: 1 } });
  t.true(sync.lag.seconds >= HOUR && sync.lag.seconds < HOUR + 600);
  t.regex(alerts[0].message, /^the secondary store lacks a backup, for 6\d minutes$/);
  const args = ["--max-sync-lag-alert", "30m", "--no-backup-sync-enabled"];
  const alone = await statusOf(primary, secondary, ...args);
  t.is(alone.code, 0, alone.stderr);
  t.false(alone.stdout.toString().includes("sync:"));
});

test("what the secondary's own retention deletes is no lag, and it is for a mirror", async (t) => {
  const { primary, secondary } = stores();
  forgeSnapshot(primary, { time: now - 200 * 24 * HOUR });
  const fresh = ["--max-backup-age-alert", "6h", "--json"];
  t.deepEqual(reportOf((await statusOf(primary, secondary, ...fresh)).stdout).names, []);
  const mirror = await statusOf(primary, secondary, "--backup-sync-deletion", "mirror", ...fresh);
  t.is(mirror.code, 3, mirror.stderr);
  t.deepEqual(reportOf(mirror.stdout).names, ["sync-lag"]);
  const kept = ["--garbage-collection-policy", "LimitBased", "--max-backups", "9"];
  const limited = await statusOf(primary, secondary, ...kept, ...fresh);
  t.deepEqual(reportOf(limited.stdout).names, ["sync-lag"]);
});

test("a store that cannot be listed exits with 1, and the other is shown", async (t) => {
  const { primary, over } = stores();
  const args = ["status", "--store", `file://${primary}`, "--secondary-store", "s3://bucket"];
  const { code, stdout } = await backuptool(
    [...args, "--secondary-store-endpoint-override", "http://127.0.0.1:1", "--json"],
    { env: { SECONDARY_AWS_ACCESS_KEY_ID: "key", SECONDARY_AWS_SECRET_ACCESS_KEY: "secret" } },
  );
  t.is(code, 1);
  const { sites, alerts } = reportOf(stdout);
  t.is(sites.primary.newestRestorable.snapshot, over.name);
  t.false(sites.secondary.reachable);
  t.regex(sites.secondary.error, /ECONNREFUSED/);
  t.deepEqual(alerts, []);
});

const SITE = {
  store: "s3://bucket",
  breaker: "closed",
  reachable: true,
  checkedAt: "2026-11-28T11:59:00.000Z",
  newestRestorable: {
    snapshot: "Full-00000000-00000001-1700000000",
    time: "2026-11-28T09:00:00.000Z",
    ageSeconds: 3 * HOUR,
  },
  newestFull: "Full-00000000-00000001-1700000000",
  snapshots: { complete: 3, unfinished: 0, damaged: 0, held: 1 },
  bytes: 4096,
  timeline: [],
  verification: { lastAt: "2026-11-28T04:00:00.000Z", coveredPercent: 40, damagedFiles: 0 },
};
const STATUS = {
  version: "9.9.9",
  now: "2026-11-28T12:00:00.000Z",
  leader: { election: true, isLeader: true, identity: "host-1" },
  sites: {
    primary: SITE,
    secondary: { ...SITE, breaker: "half-open", reachable: false, error: "\u001b[31mdown" },
  },
  sync: { enabled: true, running: true, lag: { snapshots: 2, bytes: 2048, seconds: 7200 } },
  jobs: {},
  failures: [],
  alerts: [
    {
      key: "breaker-open/secondary",
      name: "breaker-open",
      site: "secondary",
      message: "not called for now",
      since: "2026-11-28T11:00:00.000Z",
    },
  ],
};

async function serve(
  t: ExecutionContext,
  answer: (response: ServerResponse, path: string) => void,
) {
  const server = createServer((request, response) => answer(response, request.url ?? ""));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const json = (value: unknown) => (response: ServerResponse) => {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
};

test("a server is asked for its status, whose alerts decide", async (t) => {
  const paths: string[] = [];
  let status: unknown = STATUS;
  const url = await serve(t, (response, path) => {
    paths.push(path);
    json(status)(response);
  });
  const alerted = await backuptool(["status", "--server", `${url}/`]);
  t.is(alerted.code, 3, alerted.stderr);
  t.deepEqual(alerted.stdout.toString().trimEnd().split("\n").slice(4), [
    "  verified:           2026-11-28T04:00:00.000Z, 40% read back, 0 damaged files",
    "secondary: s3://bucket",
    "  breaker:            half-open",
    "  not reachable:      \\x1b[31mdown",
    "  newest restorable:  Full-00000000-00000001-1700000000, 3h old",
    "  newest full:        Full-00000000-00000001-1700000000",
    "  snapshots:          3 complete, 0 unfinished, 0 damaged, 1 held; 4.00 KiB",
    "  verified:           2026-11-28T04:00:00.000Z, 40% read back, 0 damaged files",
    "sync: the secondary lacks 2 snapshots, 2.00 KiB, the oldest of 2h ago, running",
    "leader: this server",
    "ALERT breaker-open: not called for now (since 2026-11-28T11:00:00.000Z)",
  ]);
  status = { ...STATUS, sites: { primary: SITE }, alerts: [] };
  t.is((await backuptool(["status", "--server", url])).code, 0);
  // A limit of the caller's own.
  const args = ["status", "--server", url, "--max-backup-age-alert", "2h", "--json"];
  const old = await backuptool(args);
  t.is(old.code, 3);
  const report = reportOf(old.stdout);
  t.deepEqual(report.names, ["backup-too-old/primary"]);
  t.is(report.version, "9.9.9");
  t.deepEqual([...new Set(paths)], ["/status"]);
});

test("a follower cannot tell that all is well, and says where the leader is", async (t) => {
  const current = { identity: "host-2", url: "http://host-2:8080" };
  const leader = { election: true, isLeader: false, identity: "host-1", current };
  const report = { ...STATUS, sites: { primary: SITE }, sync: undefined, alerts: [], leader };
  const url = await serve(t, json(report));
  const { code, stdout } = await backuptool(["status", "--server", url]);
  t.is(code, 1);
  t.deepEqual(stdout.toString().trimEnd().split("\n").slice(-2), [
    "leader: host-2 at http://host-2:8080",
    "this server follows: the leader has the alerts",
  ]);
});

test("a server that knows of no leader says so, and its alerts and given limits decide", async (t) => {
  const leader = { election: true, isLeader: false, identity: "host-1" };
  const { newestRestorable } = SITE;
  const old = { ...SITE, newestRestorable: { ...newestRestorable, ageSeconds: 27 * HOUR } };
  const sync = { ...STATUS.sync, lag: { snapshots: 2, bytes: 9, seconds: 4 * HOUR } };
  const sites = { primary: old, secondary: SITE };
  const report = { ...STATUS, sites, sync, alerts: STATUS.alerts.slice(1), leader };
  let status: object = report;
  const url = await serve(t, (response) => json(status)(response));
  const unknown = await backuptool(["status", "--server", url]);
  t.is(unknown.code, 1);
  t.regex(unknown.stdout.toString(), /^this server follows, and no leader is known/m);
  const limits = ["--max-backup-age-alert", "26h", "--max-sync-lag-alert", "3h", "--json"];
  const judged = await backuptool(["status", "--server", url, ...limits]);
  t.is(judged.code, 3);
  t.deepEqual(reportOf(judged.stdout).names, ["backup-too-old/primary", "sync-lag"]);
  // What it alerts of by its own limits is not dropped.
  status = { ...report, alerts: [{ ...STATUS.alerts[0], key: "no-leader", name: "no-leader" }] };
  t.is((await backuptool(["status", "--server", url])).code, 3);
});

test("a sync that is off, or of which nothing is known yet, is part of a status", async (t) => {
  let sync: object = { enabled: false, running: false };
  const url = await serve(t, (response) =>
    json({ ...STATUS, sites: { primary: SITE }, alerts: [], sync })(response),
  );
  t.is((await backuptool(["status", "--server", url])).code, 0);
  sync = { enabled: true, running: false };
  const { code, stdout } = await backuptool(["status", "--server", url]);
  t.is(code, 0);
  t.regex(stdout.toString(), /^sync: what the secondary lacks is not known yet$/m);
});

test("the certificate of a server is checked by the CA that is named", async (t) => {
  const authority = new Authority(newFolder(), "ca");
  const { cert, key } = authority.sign("server", "IP:127.0.0.1");
  const server = createSecureServer(
    { cert: readFileSync(cert), key: readFileSync(key) },
    (_, response) => json({ ...STATUS, sites: { primary: SITE }, alerts: [] })(response),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.close());
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const asked = await backuptool(["status", "--server", url, "--server-cacert", authority.cacert]);
  t.is(asked.code, 0, asked.stderr.toString());
  const unknown = await backuptool(["status", "--server", url]);
  t.is(unknown.code, 1);
  t.regex(unknown.stderr.toString(), /was not reached: .*certificate/);
  const missing = await backuptool(["status", "--server", url, "--server-cacert", "/nonexistent"]);
  t.is(missing.code, 2);
});

test("what is no server of this program is an error, and never good", async (t) => {
  const cases: [RegExp, (response: ServerResponse) => void][] = [
    [/did not answer with the status of a server/, json({ ...STATUS, sites: { primary: {} } })],
    [/did not answer with the status of a server/, json([])],
    [/answered with status 404/, (response) => response.writeHead(404).end()],
    [/answered with status 302/, (response) => response.writeHead(302, { location: "/" }).end()],
    [
      /longer than 8388608 bytes/,
      (response) => {
        const more = () => {
          while (response.write(Buffer.alloc(1 << 20, "[")));
        };
        response.on("drain", more);
        more();
      },
    ],
    [/was not reached/, (response) => response.socket?.destroy()],
  ];
  await Promise.all(
    cases.map(async ([message, answer]) => {
      const url = await serve(t, answer);
      const { code, stderr } = await backuptool(["status", "--server", url]);
      t.is(code, 1);
      t.regex(stderr.toString(), message);
    }),
  );
});
