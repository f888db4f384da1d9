import test from "ava";
import { conditionsOf } from "../../src/server/conditions.js";
import { JOB_NAMES, type JobStatus, type ServerStatus } from "../../src/server/status.js";

const NOW = "2026-11-28T12:00:00.000Z";
const IDLE: JobStatus = { state: "idle", failuresInARow: 0 };
const ALERTS = {
  maxBackupAgeMs: 26 * 3600_000,
  maxSyncLagMs: 3 * 3600_000,
  maxDeltaAgeMs: 5 * 60_000,
  webhook: undefined,
  webhookSecretFile: undefined,
  command: undefined,
};

function statusWith(more: Partial<ServerStatus> = {}): ServerStatus {
  return {
    version: "0.1.0",
    now: NOW,
    startedAt: NOW,
    leader: { election: true, isLeader: true },
    sites: {},
    deltas: { state: "off", sites: {} },
    jobs: {
      full: IDLE,
      incremental: IDLE,
      sync: IDLE,
      retention: IDLE,
      verify: IDLE,
    },
    failures: [],
    alerts: [],
    ...more,
  };
}

function keys(status: ServerStatus, leaderlessMs = 0, ttlMs = 15_000): string[] {
  const leader = { etcd: { endpoints: [] }, key: undefined, ttlMs };
  return conditionsOf(status, { alerts: ALERTS, leader }, leaderlessMs).map(({ key }) => key);
}

function failed(job: keyof ServerStatus["jobs"], failuresInARow: number): ServerStatus {
  const lastFailure = { at: NOW, job, code: "STORE_FAILED", message: "it failed" };
  const { jobs } = statusWith();
  return statusWith({ jobs: { ...jobs, [job]: { ...IDLE, failuresInARow, lastFailure } } });
}

test("nothing is alerted while all is well", (t) => {
  t.deepEqual(keys(statusWith()), []);
});

test("failed jobs are alerted once they have failed as often as does not end by itself", (t) => {
  const limits = { full: 2, incremental: 2, retention: 3, verify: 3 } as const;
  const expected = {
    full: "backup-failed/full",
    incremental: "backup-failed/incremental",
    retention: "retention-failed/retention",
    verify: "verification-failed/verify",
  };
  for (const job of JOB_NAMES) {
    if (job === "sync") continue;
    t.deepEqual(keys(failed(job, limits[job] - 1)), [], job);
    t.deepEqual(keys(failed(job, limits[job])), [expected[job]], job);
  }
});

test("a mirror that refuses is alerted as long as the last sync that ended said so", (t) => {
  const sync = { enabled: true, running: false, lag: { snapshots: 0, bytes: 0, seconds: 0 } };
  t.deepEqual(keys(statusWith({ sync: { ...sync, refusal: "too-many" } })), ["mirror-refused"]);
  t.deepEqual(keys(statusWith({ sync })), []);
  // A sync that fails for another reason does not end it.
  const { jobs } = failed("sync", 1);
  t.deepEqual(keys(statusWith({ jobs, sync: { ...sync, refusal: "too-many" } })), [
    "mirror-refused",
  ]);
});

test("a missing leader is alerted after five minutes, or four times a longer lease", (t) => {
  t.deepEqual(keys(statusWith(), 300_000), []);
  t.deepEqual(keys(statusWith(), 300_001), ["no-leader"]);
  t.deepEqual(keys(statusWith(), 300_001, 120_000), []);
  t.deepEqual(keys(statusWith(), 480_001, 120_000), ["no-leader"]);
});

test("a lag is alerted beyond its limit, and an unknown one is not", (t) => {
  const sync = { enabled: true, running: false };
  const lag = { snapshots: 1, bytes: 1, seconds: 3 * 3600 + 1 };
  t.is(keys(statusWith({ sync: { ...sync, lag } })).length, 1);
  t.deepEqual(keys(statusWith({ sync })), []);
});

test("changes of etcd that a store lacks for too long are alerted, and a denied watch at once", (t) => {
  const site = { durableRevision: 5, waiting: { deltas: 0, bytes: 0 }, isBehind: false };
  const at = (primary: number, secondary: number): ServerStatus =>
    statusWith({
      deltas: {
        state: "following",
        sites: {
          primary: { ...site, oldestSeconds: primary },
          secondary: { ...site, oldestSeconds: secondary },
        },
      },
    });
  t.deepEqual(keys(at(0, 300)), []);
  t.deepEqual(keys(at(0, 300.1)), ["delta-lag/secondary"]);
  t.deepEqual(keys(at(301, 400)), ["delta-lag/primary", "delta-lag/secondary"]);
  t.deepEqual(keys(statusWith({ deltas: { state: "denied", sites: {} } })), ["delta-lag/denied"]);
});

test("a full backup that does not prove the log is alerted, one that does is not", (t) => {
  const proof = (outcome: "proven" | "differs" | "failed"): ServerStatus =>
    statusWith({
      deltas: { state: "following", sites: {}, proof: { outcome, at: NOW, message: "why" } },
    });
  t.deepEqual(keys(proof("proven")), []);
  t.deepEqual(keys(proof("differs")), ["delta-unproven"]);
  t.deepEqual(keys(proof("failed")), ["delta-unproven"]);
});
