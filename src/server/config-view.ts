import type { ServerOptions, ServerStores } from "../settings/server-options.js";

/**
 * The options of a server, for its operator. Each field is named here: what is added to the options is not shown before
 * somebody has thought about it, and no secret or address that may contain one is.
 */
export function configView(options: ServerOptions): unknown {
  const { backup, schedules, sync, retention, verifyPart, leader, http, alerts } = options;
  const { etcd, ceph } = backup;
  return {
    stores: storesView(options.stores),
    backup: {
      etcd: etcd && { endpoints: etcd.endpoints.map(withoutUser) },
      ceph: ceph && { conf: ceph.conf, user: ceph.user },
      includePools: backup.includePools,
      skipPools: backup.skipPools,
      keepGoing: backup.keepGoing,
      archiveSize: backup.archiveSize,
      compressionLevel: backup.compressionLevel,
      kdf: backup.kdf,
    },
    schedules,
    sync: sync ?? null,
    retention,
    verifyPart,
    leader: leader === undefined ? null : { key: leader.key, ttlMs: leader.ttlMs },
    http: {
      host: http.host,
      port: http.port,
      tls: http.tls !== undefined,
      token: http.tokenFile !== undefined,
    },
    alerts: {
      maxBackupAgeMs: alerts.maxBackupAgeMs,
      maxSyncLagMs: alerts.maxSyncLagMs,
      webhook: alerts.webhook !== undefined,
      command: alerts.command !== undefined,
    },
    shutdownGraceMs: options.shutdownGraceMs,
  };
}

function storesView(stores: () => ServerStores): unknown {
  let found: ServerStores;
  try {
    found = stores();
  } catch {
    // A credential file that is being replaced.
    return null;
  }
  return Object.fromEntries(
    Object.entries(found).map(([site, destination]) => {
      if (destination === undefined) return [site, null];
      const { config, minChunkBytes, maxParallelChunks } = destination;
      const { provider, container, prefix } = config;
      return [site, { provider, container, prefix, minChunkBytes, maxParallelChunks }];
    }),
  );
}

/** An endpoint may be a URL with a user in it. */
function withoutUser(endpoint: string): string {
  return endpoint.replace(/\/\/[^/@]*@/, "//");
}
