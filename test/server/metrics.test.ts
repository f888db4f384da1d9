import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import test from "ava";
import { DELTA_STATES } from "../../src/operations/status/delta-status.js";
import {
  BACKUP_RESULTS,
  COPY_RESULTS,
  DELETION_REASONS,
  Metrics,
} from "../../src/server/metrics.js";
import { ERROR_CODES } from "../../src/server/error-codes.js";
import { JOB_NAMES, type ServerStatus, SITES } from "../../src/server/status.js";
import { healthyStatus, STARTING, troubledStatus } from "../support/server/sample-status.js";

/** Every value that a label may have, whatever stores, servers and users write. */
const CLOSED_SETS: Readonly<Record<string, ReadonlySet<string>>> = {
  kind: new Set(["full", "incremental"]),
  result: new Set([...BACKUP_RESULTS, ...COPY_RESULTS]),
  task: new Set([...JOB_NAMES, "deltas", "server"]),
  code: new Set([...ERROR_CODES, "OTHER"]),
  store: new Set(SITES),
  state: new Set(["complete", "unfinished", "damaged", "held", ...DELTA_STATES]),
  reason: new Set(DELETION_REASONS),
  version: new Set(["0.1.0"]),
};

function metricsOf(status: ServerStatus): Metrics {
  return new Metrics({ status: () => status }, "0.1.0");
}

function countEverything(metrics: Metrics): void {
  for (const kind of ["full", "incremental"] as const) {
    for (const result of BACKUP_RESULTS) metrics.backupEnded(kind, result);
  }
  metrics.jobFailed("full", "CEPH_TIMEOUT");
  metrics.jobFailed("sync", "a code that a server made up");
  for (const result of COPY_RESULTS) metrics.snapshotCopied(result);
  for (const site of SITES) {
    metrics.callRetried(site);
    metrics.verified(site, 1000);
    metrics.verificationFailed(site);
    metrics.deltaStored(site, 300);
    for (const reason of DELETION_REASONS) {
      metrics.snapshotDeleted(site, reason);
      metrics.deletionFailed(site, reason);
    }
  }
  metrics.deltaRevisions(3);
  metrics.deltaBaseMade();
  metrics.configRead(false);
}

/** The samples by name with labels, such as `backuptool_store_up{store="primary"}`. */
async function samplesOf(metrics: Metrics): Promise<Map<string, number>> {
  const lines = (await metrics.text()).split("\n").filter((line) => /^[a-z]/.test(line));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

for (const [name, status] of Object.entries({
  starting: STARTING,
  healthy: healthyStatus(),
  troubled: troubledStatus(),
})) {
  test(`promtool accepts the metrics of a ${name} server, and finds no bad name`, async (t) => {
    const metrics = metricsOf(status);
    countEverything(metrics);
    const result = spawnSync("promtool", ["check", "metrics"], { input: await metrics.text() });
    t.is(`${result.stdout}${result.stderr}`, "");
    t.is(result.status, 0);
  });
}

test("labels have values of closed sets only", async (t) => {
  for (const status of [STARTING, healthyStatus(), troubledStatus()]) {
    const metrics = metricsOf(status);
    countEverything(metrics);
    for (const sample of (await samplesOf(metrics)).keys()) {
      for (const [, label = "", value = ""] of sample.matchAll(/(\w+)="([^"]*)"/g)) {
        t.true(CLOSED_SETS[label]?.has(value), sample);
      }
    }
  }
});

test("a scrape shows the status of that moment", async (t) => {
  let status = healthyStatus();
  const metrics = new Metrics({ status: () => status }, "0.1.0");
  const before = await samplesOf(metrics);
  t.is(before.get('backuptool_newest_restorable_age_seconds{store="primary"}'), 1199);
  t.is(before.get('backuptool_snapshots{store="primary",state="complete"}'), 94);
  t.is(before.get('backuptool_snapshots{store="primary",state="held"}'), 1);
  t.is(before.get('backuptool_backup_last_objects{kind="full"}'), 48_211);
  t.is(before.get('backuptool_job_running{task="incremental"}'), 1);
  t.is(before.get('backuptool_job_progress_ratio{task="incremental"}'), 20_413 / 48_300);
  t.is(before.get("backuptool_sync_lag_snapshots"), 0);
  t.is(before.get('backuptool_breaker_open{store="secondary"}'), 0);
  t.is(before.get('backuptool_delta_state{state="following"}'), 1);
  t.is(before.get('backuptool_delta_durable_revision{store="secondary"}'), 70_133);
  t.is(before.get('backuptool_delta_oldest_age_seconds{store="primary"}'), 0);
  t.is(before.get("backuptool_delta_proven_revision"), 69_900);
  t.is(before.get("backuptool_delta_unproven"), 0);

  status = troubledStatus();
  const after = await samplesOf(metrics);
  t.is(after.get('backuptool_breaker_open{store="secondary"}'), 1);
  t.is(after.get('backuptool_delta_oldest_age_seconds{store="secondary"}'), 21_600);
  t.is(after.get('backuptool_delta_missing_revisions{store="secondary"}'), 9_133);
  t.is(after.get("backuptool_delta_unproven"), 1);
  t.is(after.get('backuptool_store_up{store="secondary"}'), 0);
  t.is(after.get('backuptool_snapshots{store="primary",state="damaged"}'), 1);
  t.is(after.get("backuptool_sync_lag_snapshots"), 6);
  t.is(after.get('backuptool_job_running{task="incremental"}'), 0);
  t.false(after.has('backuptool_job_progress_ratio{task="incremental"}'), "the job has ended");
});

test("what is not known has no sample, rather than a zero that looks like a value", async (t) => {
  const samples = await samplesOf(metricsOf(STARTING));
  for (const name of [
    "newest_restorable_age_seconds",
    "snapshots",
    "sync_lag_snapshots",
    "store_up",
    "backup_last_success_timestamp_seconds",
    "delta_durable_revision",
    "delta_oldest_age_seconds",
    "delta_etcd_revision",
    "delta_unproven",
  ]) {
    const found = [...samples.keys()].filter(
      (sample) => sample.split("{")[0] === `backuptool_${name}`,
    );
    t.deepEqual(found, [], name);
  }
  t.is(samples.get("backuptool_leader"), 0);
  t.is(samples.get("backuptool_leader_known"), 0);
});

test("what happens is counted from zero", async (t) => {
  const metrics = metricsOf(healthyStatus());
  const failures = 'backuptool_failures_total{task="sync",code="OTHER"}';
  const backups = 'backuptool_backups_total{kind="full",result="failure"}';
  const before = await samplesOf(metrics);
  t.is(before.get(failures), 0);
  t.is(before.get(backups), 0);
  t.is(before.get('backuptool_deletions_total{store="secondary",reason="mirror"}'), 0);
  countEverything(metrics);
  const after = await samplesOf(metrics);
  t.is(after.get(failures), 1);
  t.is(after.get(backups), 1);
  t.is(after.get('backuptool_failures_total{task="full",code="CEPH_TIMEOUT"}'), 1);
  t.is(after.get('backuptool_verified_bytes_total{store="primary"}'), 1000);
  t.is(after.get("backuptool_config_last_reload_success"), 0);
});

test("every name of a metric is that of a sample", async (t) => {
  const metrics = metricsOf(healthyStatus());
  const sampled = new Set(
    [...(await samplesOf(metrics)).keys()].map((sample) => sample.split("{")[0]),
  );
  t.deepEqual([...sampled].sort(), metrics.names().sort());
});

test("docs/server.md has a row with every metric, and no other", (t) => {
  const page = readFileSync(new URL("../../../docs/server.md", import.meta.url), "utf8");
  const [, rest = ""] = page.split("\n## Metrics\n");
  const [section = ""] = rest.split("\n## ");
  const cells = section
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((row) => row.split(" | ")[0] ?? "");
  const described = [...cells.join().matchAll(/`([a-z_]+)(?:\{[a-z,]+\})?`/g)].map(
    ([, name]) => `backuptool_${name}`,
  );
  const names = metricsOf(STARTING)
    .names()
    .filter((name) => name.startsWith("backuptool_"));
  t.deepEqual(described.sort(), names.sort());
});
