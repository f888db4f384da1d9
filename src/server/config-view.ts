import type { ServerOptions, ServerStores } from "../settings/server-options.js";
import type { StoreConfig } from "../snapstore/config.js";
import { shownContainer } from "../snapstore/shown-container.js";

/**
 * The configuration of a server for others to read. What may be shown is named here one by one, so that an option that
 * is new is not shown by itself; of secrets, and of what can hold one, only whether they are set. Times in milliseconds.
 */
export function configView(options: ServerOptions): object {
  const { backup, schedules, sync, leader, http, alerts } = options;
  const { etcd, ceph } = backup;
  return {
    stores: storesView(options),
    backup: {
      etcd: etcd === undefined ? null : { endpoints: etcd.endpoints.map(withoutLogin) },
      ceph: ceph === undefined ? null : { conf: ceph.conf, user: ceph.user },
      includePools: backup.includePools,
      skipPools: backup.skipPools,
      keepGoing: backup.keepGoing,
    },
    schedules: {
      full: schedules.full ?? null,
      incremental: schedules.incremental ?? null,
      verify: schedules.verify ?? null,
      timeZone: schedules.timeZone,
      retryMs: schedules.retryMs,
    },
    deltas: options.deltas ?? null,
    sync:
      sync === undefined
        ? null
        : {
            periodMs: sync.periodMs,
            maxRetries: sync.retries.maxRetries,
            retryBackoffMs: sync.retries.backoffMs,
            concurrentCopies: sync.concurrentCopies,
            mirror: sync.mirror ?? null,
          },
    retention: options.retention,
    verifyPart: options.verifyPart,
    leader: leader === undefined ? null : { key: leader.key ?? null, ttlMs: leader.ttlMs },
    http: {
      host: http.host,
      port: http.port,
      url: http.url === undefined ? null : withoutLogin(http.url),
      tls: http.tls !== undefined,
      token: http.tokenFile !== undefined,
    },
    alerts: {
      maxBackupAgeMs: alerts.maxBackupAgeMs,
      maxSyncLagMs: alerts.maxSyncLagMs,
      maxDeltaAgeMs: alerts.maxDeltaAgeMs,
      webhook: alerts.webhook !== undefined,
      command: alerts.command !== undefined,
    },
    shutdownGraceMs: options.shutdownGraceMs,
  };
}

/** Null while a file of credentials cannot be read. */
function storesView(options: Pick<ServerOptions, "stores">): object | null {
  let stores: ServerStores;
  try {
    stores = options.stores();
  } catch {
    return null;
  }
  const { primary, secondary } = stores;
  return {
    primary: storeView(primary.config),
    secondary: secondary === undefined ? null : storeView(secondary.config),
  };
}

function storeView(config: StoreConfig): object {
  const { provider, prefix } = config;
  const container = shownContainer(config);
  const endpoint = "endpoint" in config ? config.endpoint : undefined;
  return { provider, container, prefix, endpoint: endpoint ? withoutLogin(endpoint) : null };
}

/** An address without a user, a password and a query. */
function withoutLogin(address: string): string {
  return address.replace(/^(\w+:\/\/)?.*@/s, "$1").replace(/[?#].*$/s, "");
}
