import type { SiteDeltas } from "../../../src/operations/status/delta-status.js";
import type { SiteStatus, TimelineEntry } from "../../../src/operations/status/site-status.js";
import type { JobStatus, ServerStatus } from "../../../src/server/status.js";
import { snapshotName } from "../../../src/snapshots/name.js";

/** Saturday, 28 November 2026, 17:20:05 UTC. */
export const NOW = new Date("2026-11-28T17:20:05Z");
const HOUR = 3600;
const DAY = 24 * HOUR;

const IN_STEP: SiteDeltas = {
  durableRevision: 70_133,
  missingRevisions: 0,
  oldestSeconds: 0,
  waiting: { deltas: 0, bytes: 0 },
  isBehind: false,
};
const IDLE: JobStatus = { state: "idle", failuresInARow: 0 };

/** A server right after its start, which knows nothing yet. */
export const STARTING: ServerStatus = {
  version: "0.1.0",
  now: NOW.toISOString(),
  startedAt: NOW.toISOString(),
  leader: { election: true, isLeader: false, identity: "backup-0" },
  sites: {},
  deltas: { state: "standby", sites: {} },
  jobs: { full: IDLE, incremental: IDLE, sync: IDLE, retention: IDLE, verify: IDLE },
  failures: [],
  alerts: [],
};

/** A day's full backup at 2 o'clock, then an incremental each hour, for the last days; of the days before, fulls. */
export function sampleTimeline(): TimelineEntry[] {
  const now = NOW.getTime() / 1000;
  const today = now - (now % DAY) + 2 * HOUR;
  const entries: TimelineEntry[] = [];
  let revision = 9_002;
  for (let day = 24; day >= 0; day--) {
    const isKept = day < 7 || day % 7 === 0;
    if (!isKept) continue;
    const begin = today - day * DAY;
    let first = 0;
    let base: string | undefined;
    for (let hour = 0; hour < (day < 4 ? 24 : 1); hour++) {
      const time = begin + hour * HOUR + ((hour * 7) % 11);
      if (time > now) break;
      const kind = hour === 0 ? "full" : "incremental";
      const { text: name } = snapshotName({
        kind,
        firstRevision: first,
        lastRevision: revision,
        time,
      });
      entries.push({
        name,
        kind,
        time: new Date(time * 1000).toISOString(),
        state: "complete",
        ...(base !== undefined && { base }),
        bytes: kind === "full" ? 1_288_490_188 + day * 1_000_000 : 9_000_000 + hour * 333_333,
        held: false,
      });
      base = name;
      first = revision + 1;
      revision += 150 + hour * 13;
    }
  }
  return entries.reverse();
}

function siteOf(store: string, timeline: readonly TimelineEntry[]): SiteStatus {
  const count = (state: TimelineEntry["state"]): number =>
    timeline.filter((entry) => entry.state === state).length;
  const newest = timeline.find(({ state }) => state === "complete");
  const newestFull = timeline.find(({ state, kind }) => state === "complete" && kind === "full");
  return {
    store,
    breaker: "closed",
    reachable: true,
    checkedAt: "2026-11-28T17:18:40.000Z",
    ...(newest !== undefined && {
      newestRestorable: {
        snapshot: newest.name,
        time: newest.time,
        ageSeconds: Math.floor((NOW.getTime() - Date.parse(newest.time)) / 1000),
      },
    }),
    ...(newestFull !== undefined && { newestFull: newestFull.name }),
    snapshots: {
      complete: count("complete"),
      unfinished: count("unfinished"),
      damaged: count("damaged"),
      held: timeline.filter(({ held }) => held).length,
    },
    bytes: timeline.reduce((sum, { bytes }) => sum + bytes, 0),
    timeline,
    verification: { lastAt: "2026-11-26T04:30:11.000Z", coveredPercent: 38.4, damagedFiles: 0 },
  };
}

/** A leader whose backups and copies all succeed; the hourly incremental runs. */
export function healthyStatus(): ServerStatus {
  const timeline = sampleTimeline().map((entry, i) =>
    i === 40 ? { ...entry, held: true } : entry,
  );
  const { text: running } = snapshotName({
    kind: "incremental",
    firstRevision: 70_000,
    lastRevision: 70_120,
    time: NOW.getTime() / 1000 - 64,
  });
  const [newest] = timeline;
  const inProgress: TimelineEntry = {
    name: running,
    kind: "incremental",
    time: new Date(NOW.getTime() - 64_000).toISOString(),
    state: "unfinished",
    ...(newest !== undefined && { base: newest.name }),
    bytes: 2_411_724,
    held: false,
  };
  const primary = siteOf("s3://backups/cluster-a", [inProgress, ...timeline]);
  return {
    ...STARTING,
    startedAt: "2026-11-21T08:00:00.000Z",
    leader: {
      election: true,
      isLeader: true,
      identity: "backup-0",
      current: { identity: "backup-0" },
    },
    sites: { primary, secondary: siteOf("swift://vault/cluster-a", timeline) },
    sync: {
      enabled: true,
      running: false,
      lag: { snapshots: 0, deltas: 0, bytes: 0, seconds: 0 },
      lastSuccess: "2026-11-28T17:01:12.000Z",
      nextAt: "2026-11-28T18:00:00.000Z",
    },
    deltas: {
      state: "following",
      stream: "Etcd-00069901-1795831591-9f86d081",
      readRevision: 70_133,
      etcdRevision: 70_133,
      provenRevision: 69_900,
      proof: {
        outcome: "proven",
        at: "2026-11-28T02:07:02.000Z",
        message: "the deltas make what the full backup holds",
      },
      sites: { primary: IN_STEP, secondary: IN_STEP },
    },
    jobs: {
      full: {
        ...IDLE,
        nextAt: "2026-11-29T02:00:00.000Z",
        lastSuccess: {
          at: "2026-11-28T02:06:31.000Z",
          durationSeconds: 391,
          ...(primary.newestFull !== undefined && { snapshot: primary.newestFull }),
          bytes: 1_288_490_188,
          objects: 48_211,
          records: 9_002,
        },
      },
      incremental: {
        state: "running",
        startedAt: new Date(NOW.getTime() - 64_000).toISOString(),
        nextAt: "2026-11-28T18:00:00.000Z",
        progress: {
          phase: "reading pool hot",
          done: 20_413,
          total: 48_300,
          unit: "objects",
          bytes: 2_411_724,
        },
        lastSuccess: {
          at: "2026-11-28T16:00:42.000Z",
          durationSeconds: 42,
          bytes: 13_666_662,
          objects: 312,
          records: 345,
        },
        failuresInARow: 0,
      },
      sync: {
        ...IDLE,
        nextAt: "2026-11-28T18:00:00.000Z",
        lastSuccess: { at: "2026-11-28T17:01:12.000Z", durationSeconds: 9, bytes: 13_666_662 },
      },
      retention: {
        ...IDLE,
        nextAt: "2026-11-28T17:30:00.000Z",
        lastSuccess: { at: "2026-11-28T16:30:03.000Z", durationSeconds: 3 },
      },
      verify: {
        ...IDLE,
        nextAt: "2026-11-29T04:30:00.000Z",
        lastSuccess: { at: "2026-11-28T04:34:11.000Z", durationSeconds: 251, bytes: 1_920_000_000 },
      },
    },
    failures: [
      {
        at: "2026-11-27T21:00:07.000Z",
        job: "sync",
        site: "secondary",
        code: "STORE_TRANSIENT",
        message:
          "swift://vault/cluster-a: the connection was closed (ECONNRESET); the copy was repeated",
      },
    ],
  };
}

/** The secondary is down for hours; a full backup failed; a snapshot is damaged. */
export function troubledStatus(): ServerStatus {
  const healthy = healthyStatus();
  const timeline = sampleTimeline();
  const damaged = timeline.map((entry, i) =>
    i === 22 ? { ...entry, state: "damaged" as const } : entry,
  );
  const behind = timeline.slice(6);
  const message = "swift://vault/cluster-a: no answer from 10.2.0.17:8080 (ETIMEDOUT)";
  const failed = {
    at: "2026-11-28T02:00:31.000Z",
    job: "full",
    site: "primary",
    code: "CEPH_TIMEOUT",
    message: 'ceph: read "rbd_data.1f" in pool "hot": no answer in time (ETIMEDOUT)',
  } as const;
  return {
    ...healthy,
    sites: {
      primary: siteOf("s3://backups/cluster-a", damaged),
      secondary: {
        ...siteOf("swift://vault/cluster-a", behind),
        breaker: "open",
        reachable: false,
        error: message,
        checkedAt: "2026-11-28T11:14:02.000Z",
      },
    },
    sync: {
      enabled: true,
      running: false,
      lag: { snapshots: 6, deltas: 0, bytes: 71_123_456, seconds: 21_600 },
      lastSuccess: "2026-11-28T11:01:12.000Z",
      lastFailure: {
        at: "2026-11-28T17:00:40.000Z",
        job: "sync",
        site: "secondary",
        code: "STORE_TRANSIENT",
        message,
      },
      nextAt: "2026-11-28T18:00:00.000Z",
    },
    deltas: {
      ...healthy.deltas,
      proof: {
        outcome: "differs",
        at: "2026-11-28T02:07:02.000Z",
        message: "change 1 of revision 68011 is not in the log",
      },
      lastBreak: {
        at: "2026-11-28T01:12:00.000Z",
        reason: "etcd was compacted",
        lost: { first: 60_001, last: 60_480 },
      },
      sites: {
        primary: IN_STEP,
        secondary: {
          durableRevision: 61_000,
          missingRevisions: 9_133,
          oldestSeconds: 21_600,
          waiting: { deltas: 12, bytes: 41_200 },
          isBehind: true,
        },
      },
    },
    jobs: {
      ...healthy.jobs,
      full: {
        state: "retrying",
        nextAt: "2026-11-28T17:32:00.000Z",
        lastFailure: failed,
        failuresInARow: 4,
        lastSuccess: { at: "2026-11-27T02:06:11.000Z", durationSeconds: 371, bytes: 1_200_000_000 },
      },
      incremental: { ...IDLE, nextAt: "2026-11-28T18:00:00.000Z" },
      sync: {
        state: "idle",
        nextAt: "2026-11-28T18:00:00.000Z",
        lastFailure: {
          at: "2026-11-28T17:00:40.000Z",
          job: "sync",
          site: "secondary",
          code: "STORE_TRANSIENT",
          message,
        },
        failuresInARow: 6,
      },
    },
    failures: [
      {
        at: "2026-11-28T17:00:40.000Z",
        job: "sync",
        site: "secondary",
        code: "STORE_TRANSIENT",
        message,
      },
      failed,
      {
        at: "2026-11-28T01:12:00.000Z",
        job: "server",
        code: "USAGE",
        message: "the configuration file was not read again: keep-last is no number",
      },
    ],
    alerts: [
      {
        key: "breaker-open/secondary",
        name: "breaker-open",
        site: "secondary",
        message: `The secondary store has failed since 28 Nov 11:20: ${message}`,
        since: "2026-11-28T11:20:00.000Z",
      },
      {
        key: "backup-failed/full",
        name: "backup-failed",
        message: "The full backup failed 4 times in a row: ceph: no answer in time (ETIMEDOUT)",
        since: "2026-11-28T02:00:31.000Z",
      },
    ],
  };
}
