import { dataSubset } from "./data-subset.js";
import type { UsageError } from "../errors.js";
import { age, choice, duration, size, text, toggle, wholeNumber } from "./kinds.js";
import { schedule } from "./schedule.js";
import { timeZoneSettings } from "./time-zone.js";

/** When a server makes backups. */
export const scheduleSettings = {
  schedule: {
    ...schedule,
    default: "0 2 * * *",
    describe: "When to make full backups, as cron has it; off for never",
  },
  "incremental-schedule": {
    ...schedule,
    default: "0 * * * *",
    describe: "When to make incremental backups, over the newest; off for never",
  },
  ...timeZoneSettings,
  "backup-retry-backoff": {
    ...duration,
    default: "30s",
    describe: "Wait before a failed backup is tried again; doubles, up to 15 minutes",
  },
} as const;

/** How a server writes what changes in etcd between full backups. */
export const deltaSettings = {
  "delta-snapshot-period": {
    ...durationOrOff(),
    default: "10s",
    describe: "Longest time before changes of etcd are stored as a delta; 0 for no deltas",
  },
  "delta-snapshot-memory-limit": {
    ...size("1MiB", "128MiB"),
    default: "10MiB",
    describe: "Size at which a delta is stored before its time",
  },
} as const;

/** Whether and how a server keeps the secondary store in step. */
export const syncSettings = {
  "backup-sync-enabled": {
    ...toggle,
    describe: "Copy what the secondary store lacks (default: on, with a secondary store)",
  },
  "backup-sync-period": {
    ...duration,
    default: "1h",
    describe: "Longest time between two comparisons of the stores",
  },
  "backup-sync-max-retries": {
    ...wholeNumber(0, 1000),
    default: "5",
    describe: "Retries of a file that could not be copied",
  },
  "backup-sync-retry-backoff": {
    ...duration,
    default: "1s",
    describe: "Longest wait before the first retry; doubles with each",
  },
  "backup-sync-concurrent-copies": {
    ...wholeNumber(1, 100),
    default: "10",
    describe: "Files to copy at the same time",
  },
  "backup-sync-deletion": {
    ...choice(["independent", "mirror"]),
    default: "independent",
    describe: "Retention on each site by itself, or delete what is gone from the primary",
  },
  "max-delete-fraction": {
    ...fraction(),
    default: "0.5",
    describe: "Largest share of the secondary's backups that mirror deletes at once",
  },
  "mirror-grace-period": {
    ...age,
    default: "24h",
    describe: "How long a backup is gone from the primary before mirror deletes it",
  },
} as const;

/** Names that etcd-backup-restore gives to settings of the sync. */
export const secondarySyncSettings = {
  "secondary-backup-sync-enabled": {
    ...syncSettings["backup-sync-enabled"],
    describe: "Another name of backup-sync-enabled",
  },
  "secondary-backup-sync-period": {
    ...duration,
    describe: "Another name of backup-sync-period",
  },
  "max-parallel-copy-operations": {
    ...wholeNumber(1, 100),
    describe: "Another name of backup-sync-concurrent-copies",
  },
} as const;

export const collectionSettings = {
  "garbage-collection-period": {
    ...duration,
    default: "1h",
    describe: "Time between two runs of the retention rules",
  },
} as const;

export const verifySettings = {
  "verify-schedule": {
    ...schedule,
    default: "0 4 * * *",
    describe: "When to read back a part of the stored data; off for never",
  },
  "verify-subset": {
    ...dataSubset,
    default: "5%",
    describe: "The part to read each time: 5% reads all within 20 runs",
  },
} as const;

export const leaderSettings = {
  "leader-election": {
    ...toggle,
    describe:
      "Act only as the elected leader (default: on; --no-leader-election where no other server uses the store)",
  },
  "leader-key": {
    ...text,
    describe:
      "Key in etcd of the leadership (default: /backuptool/leader/ and a digest of the store)",
  },
  "leader-ttl": {
    ...duration,
    default: "15s",
    describe: "Lease of the leadership: after a crash another server leads within two of these",
  },
} as const;

export const httpSettings = {
  "server-host": { ...text, default: "127.0.0.1", describe: "Address to listen on" },
  "server-port": { ...wholeNumber(0, 65535), default: "8080", describe: "Port; 0 for a free one" },
  "server-url": {
    ...text,
    describe: "URL of this server for its followers to name (default: from host and port)",
  },
  "server-cert": { ...text, describe: "PEM file of the server's certificate" },
  "server-key": { ...text, describe: "PEM file of the certificate's key" },
  "server-token-file": {
    ...text,
    describe: "File whose only line is the token that requests which change something carry",
  },
} as const;

export const alertSettings = {
  "max-backup-age-alert": {
    ...age,
    default: "26h",
    describe: "Alert when the newest restorable backup of a store is older",
  },
  "max-sync-lag-alert": {
    ...age,
    default: "3h",
    describe: "Alert when the secondary lacks a backup for longer",
  },
  "max-delta-age-alert": {
    ...duration,
    default: "5m",
    describe: "Alert when a store lacks a change of etcd for longer, while deltas are on",
  },
  "alert-webhook": { ...text, describe: "URL that gets each alert as JSON" },
  "alert-webhook-secret-file": {
    ...text,
    describe: "File whose only line is the secret that signs what the webhook gets",
  },
  "alert-command": {
    ...text,
    describe: "Shell command that gets each alert as JSON on its standard input",
  },
} as const;

export const processSettings = {
  "shutdown-grace": {
    ...duration,
    default: "60s",
    describe: "Longest time from a signal to the end of the process",
  },
  "log-format": {
    ...choice(["auto", "text", "json"]),
    default: "auto",
    describe: "Format of the log; auto is text on a terminal and JSON elsewhere",
  },
} as const;

/** Milliseconds; 0 or `off` is undefined. */
function durationOrOff() {
  const parse = (
    given: string,
    reject: (problem: string, hint?: string) => UsageError,
  ): number | undefined =>
    /^(off|0(ms|s|m|h)?)$/.test(given.trim()) ? undefined : duration.parse(given, reject);
  return { ...duration, parse } as const;
}

/** From above 0 to 1. */
function fraction() {
  const parse = (given: string, reject: (problem: string) => Error): number => {
    const value = /^\d*\.?\d+$/.test(given) ? Number(given) : Number.NaN;
    if (value > 0 && value <= 1) return value;
    throw reject("is not a number above 0 and up to 1");
  };
  return { ...text, parse } as const;
}
