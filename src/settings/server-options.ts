import { SettingError, UsageError } from "../errors.js";
import type { CreateOptions } from "../operations/create/create.js";
import type { StoreDestination } from "../operations/create/destination.js";
import type { RetrySettings } from "../replication/copy/retries.js";
import type { ReadSelection } from "../snapshots/read-selection.js";
import type { RetentionPolicy } from "../snapshots/retention/policy.js";
import type { EtcdOptions } from "../sources/etcd/cluster.js";
import { cephOptions } from "./ceph.js";
import type {
  cephSettings,
  etcdSettings,
  sealSettings,
  serverEtcdModeSettings,
  skipSettings,
} from "./declarations.js";
import { etcdOptions } from "./etcd.js";
import type { Values } from "./kinds.js";
import { sealOptions, serverEtcdParts, storeDestination } from "./new-backup.js";
import { checkPoolLists, checkSomethingToDo } from "./pools.js";
import { retentionPolicy, type retentionSettings } from "./retention.js";
import type {
  alertSettings,
  collectionSettings,
  deltaSettings,
  httpSettings,
  leaderSettings,
  processSettings,
  scheduleSettings,
  secondarySyncSettings,
  syncSettings,
  verifySettings,
} from "./server-declarations.js";
import type { SettingsContext } from "./setting.js";
import type {
  secondaryStoreSettings,
  secondaryUploadSettings,
  storeSettings,
  uploadSettings,
} from "./store-declarations.js";

/** What a server does, and where. Times are in milliseconds. */
export interface ServerOptions {
  /** The stores with their credentials, whose files are read again by each call. @throws UsageError */
  stores(): ServerStores;
  readonly backup: Omit<
    CreateOptions,
    "outputDir" | "store" | "secondaryStore" | "incrementalOver"
  >;
  readonly schedules: Schedules;
  /** Undefined: no deltas of etcd. They also need etcd, and full backups with raw snapshots. */
  readonly deltas: DeltaOptions | undefined;
  /** Undefined without a secondary store, or where it is off. */
  readonly sync: SyncOptions | undefined;
  /** The secondary has no retention of its own: the sync deletes there what is gone from the primary. */
  readonly mirrors: boolean;
  readonly retention: {
    readonly policy: RetentionPolicy;
    /** A name of the time zone database, also of the schedules. */
    readonly timeZone: string;
    /** Age up to which streams of deltas are kept. */
    readonly streamPeriodMs: number;
    readonly periodMs: number;
  };
  /** Which part of the stored data each run of its schedule reads. */
  readonly verifyPart: ReadSelection;
  /** Undefined: this server is alone. */
  readonly leader: LeaderOptions | undefined;
  readonly http: HttpOptions;
  readonly alerts: AlertOptions;
  readonly shutdownGraceMs: number;
}

export interface ServerStores {
  readonly primary: StoreDestination;
  readonly secondary?: StoreDestination | undefined;
}

/** Patterns of cron; undefined: never. */
export interface Schedules {
  readonly full: string | undefined;
  readonly incremental: string | undefined;
  readonly verify: string | undefined;
  readonly timeZone: string;
  /** Wait before a failed backup is tried again; doubles. */
  readonly retryMs: number;
}

/** When changes of etcd become a delta. */
export interface DeltaOptions {
  /** Longest time from a change to its delta. */
  readonly periodMs: number;
  /** Size at which a delta is complete before that. */
  readonly memoryLimitBytes: number;
}

export interface SyncOptions {
  readonly periodMs: number;
  readonly retries: RetrySettings;
  readonly concurrentCopies: number;
  /** Undefined: each site has its own retention. */
  readonly mirror: { readonly maxDeleteFraction: number; readonly graceMs: number } | undefined;
}

export interface LeaderOptions {
  readonly etcd: EtcdOptions;
  /** Default: of the store. */
  readonly key: string | undefined;
  readonly ttlMs: number;
}

export interface HttpOptions {
  readonly host: string;
  readonly port: number;
  readonly url: string | undefined;
  /** Paths of PEM files. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly tokenFile: string | undefined;
}

export interface AlertOptions {
  readonly maxBackupAgeMs: number;
  readonly maxSyncLagMs: number;
  readonly maxDeltaAgeMs: number;
  readonly webhook: string | undefined;
  readonly webhookSecretFile: string | undefined;
  readonly command: string | undefined;
}

type ServerValues = Values<
  typeof scheduleSettings &
    typeof deltaSettings &
    typeof retentionSettings &
    typeof syncSettings &
    typeof secondarySyncSettings &
    typeof collectionSettings &
    typeof verifySettings &
    typeof leaderSettings &
    typeof httpSettings &
    typeof alertSettings &
    typeof processSettings &
    typeof storeSettings &
    typeof uploadSettings &
    typeof secondaryStoreSettings &
    typeof secondaryUploadSettings &
    typeof etcdSettings &
    typeof serverEtcdModeSettings &
    typeof cephSettings &
    typeof skipSettings &
    typeof sealSettings
> & {
  readonly "include-pool": readonly string[];
  readonly "skip-pool": readonly string[];
  readonly "keep-going": boolean | undefined;
};

/** Shorter leases end in pauses of a busy machine. */
const MIN_LEADER_TTL_MS = 2000;

/** @throws UsageError */
export function serverOptions(
  values: ServerValues,
  context: SettingsContext,
  toolVersion: string,
): ServerOptions {
  checkSomethingToDo(values);
  checkPoolLists(values["include-pool"], values["skip-pool"]);
  const etcd = etcdOptions(values, context.warn);
  const { secondary } = serverStores(values, context);
  return {
    // A server warns of the files of its credentials once.
    stores: () => serverStores(values, { env: context.env, warn: () => {} }),
    backup: {
      etcd,
      ceph: cephOptions(values, context.warn),
      includePools: values["include-pool"],
      skipPools: values["skip-pool"],
      keepGoing: values["keep-going"] === true,
      ...sealOptions(values),
      ...serverEtcdParts(values),
      toolVersion,
    },
    schedules: {
      full: values.schedule,
      incremental: values["incremental-schedule"],
      verify: values["verify-schedule"],
      timeZone: values["schedule-time-zone"],
      retryMs: values["backup-retry-backoff"],
    },
    deltas: deltaOptions(values),
    sync: secondary && syncOptions(values),
    mirrors: values["backup-sync-deletion"] === "mirror",
    retention: {
      policy: retentionPolicy(values),
      timeZone: values["schedule-time-zone"],
      streamPeriodMs: values["delta-snapshot-retention-period"],
      periodMs: values["garbage-collection-period"],
    },
    verifyPart: values["verify-subset"],
    leader: leaderOptions(values, etcd),
    http: {
      host: values["server-host"],
      port: values["server-port"],
      url: values["server-url"],
      tls: tlsFiles(values),
      tokenFile: values["server-token-file"],
    },
    alerts: alertOptions(values),
    shutdownGraceMs: values["shutdown-grace"],
  };
}

function serverStores(values: ServerValues, context: SettingsContext): ServerStores {
  const primary = storeDestination(values, "primary", context);
  if (primary === undefined) {
    throw new UsageError("the server has no primary store", {
      hint: "name one",
      settings: ["store"],
    });
  }
  return { primary, secondary: storeDestination(values, "secondary", context) };
}

function deltaOptions(values: ServerValues): DeltaOptions | undefined {
  const periodMs = values["delta-snapshot-period"];
  if (periodMs === undefined) return undefined;
  return { periodMs, memoryLimitBytes: values["delta-snapshot-memory-limit"] };
}

function syncOptions(values: ServerValues): SyncOptions | undefined {
  const enabled = values["backup-sync-enabled"] ?? values["secondary-backup-sync-enabled"] ?? true;
  if (!enabled) return undefined;
  const mirrors = values["backup-sync-deletion"] === "mirror";
  return {
    periodMs: values["secondary-backup-sync-period"] ?? values["backup-sync-period"],
    retries: {
      maxRetries: values["backup-sync-max-retries"],
      backoffMs: values["backup-sync-retry-backoff"],
    },
    concurrentCopies:
      values["max-parallel-copy-operations"] ?? values["backup-sync-concurrent-copies"],
    mirror: mirrors
      ? {
          maxDeleteFraction: values["max-delete-fraction"],
          graceMs: values["mirror-grace-period"],
        }
      : undefined,
  };
}

function leaderOptions(
  values: ServerValues,
  etcd: EtcdOptions | undefined,
): LeaderOptions | undefined {
  if (values["leader-election"] === false) return undefined;
  if (etcd === undefined) {
    throw new UsageError("a leader is elected through etcd, and etcd is skipped", {
      hint: "let this server be the only one for its store",
      settings: ["no-leader-election"],
    });
  }
  const ttlMs = values["leader-ttl"];
  if (ttlMs < MIN_LEADER_TTL_MS) {
    throw new SettingError("leader-ttl", `is under ${MIN_LEADER_TTL_MS / 1000}s`);
  }
  return { etcd, key: values["leader-key"], ttlMs };
}

function tlsFiles(values: ServerValues): HttpOptions["tls"] {
  const { "server-cert": cert, "server-key": key } = values;
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (cert === undefined && key === undefined) return undefined;
  const [given, missing] =
    cert === undefined ? ["server-key", "server-cert"] : ["server-cert", "server-key"];
  throw new SettingError(given ?? "", "is not enough for TLS", {
    hint: "name the other file too",
    settings: [missing ?? ""],
  });
}

function alertOptions(values: ServerValues): AlertOptions {
  const webhook = values["alert-webhook"];
  const secret = values["alert-webhook-secret-file"];
  if (webhook !== undefined && !/^https?:\/\//.test(webhook)) {
    // The URL itself may hold a secret.
    throw new SettingError("alert-webhook", "is not a URL with http:// or https://");
  }
  if (webhook === undefined && secret !== undefined) {
    throw new SettingError("alert-webhook-secret-file", "is set, but no webhook", {
      hint: "name it",
      settings: ["alert-webhook"],
    });
  }
  return {
    maxBackupAgeMs: values["max-backup-age-alert"],
    maxSyncLagMs: values["max-sync-lag-alert"],
    maxDeltaAgeMs: values["max-delta-age-alert"],
    webhook,
    webhookSecretFile: secret,
    command: values["alert-command"],
  };
}
