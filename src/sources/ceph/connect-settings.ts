/** How to connect to Ceph, in the terms of the `ceph` program. */
export interface CephOptions {
  /** Path of ceph.conf. */
  readonly conf: string;
  /** `admin` or `client.admin`, the default. */
  readonly user?: string | undefined;
  /** Path of the user's keyring; by default ceph.conf names it. */
  readonly keyring?: string | undefined;
  /** The cluster's name; by default `ceph`. */
  readonly cluster?: string | undefined;
  /** Longest wait for one operation, seconds; by default 120. */
  readonly opTimeoutSeconds?: number | undefined;
  /** Longest wait for the monitors when connecting, seconds; by default 15. */
  readonly connectTimeoutSeconds?: number | undefined;
}

/** `client.admin` of `admin`, which is the default. */
export function userName(user = "admin"): string {
  return user.includes(".") ? user : `client.${user}`;
}

type Setting = readonly [option: string, value: string];

/** The options of librados that differ from its defaults and from ceph.conf. */
export function connectSettings(options: CephOptions): readonly Setting[] {
  const { opTimeoutSeconds = 120, connectTimeoutSeconds = 15, keyring } = options;
  return [
    // By default librados waits for a stuck or full cluster without end.
    ["rados_osd_op_timeout", `${opTimeoutSeconds}`],
    ["rados_mon_op_timeout", `${opTimeoutSeconds}`],
    ["client_mount_timeout", `${connectTimeoutSeconds}`],
    ...deadConnectionSettings(opTimeoutSeconds),
    // Errors of librados are reported by this program, not on the terminal or in /var/log.
    ["log_to_stderr", "false"],
    ["err_to_stderr", "false"],
    ["log_file", ""],
    ["admin_socket", ""],
    // Half of the default, to bound the memory of operations in flight.
    ["objecter_inflight_op_bytes", `${128 << 20}`],
    ...(keyring === undefined ? [] : ([["keyring", keyring]] as const)),
  ];
}

/**
 * How soon librados notices that a firewall dropped a connection; by default after 15 minutes or more.
 *
 * A connection without an answer for three quarters of an operation's time is replaced, and operations in flight are sent
 * again; OSDs recognise repeated ones. Sent bytes do not count as an answer, so the time must be long enough for a slow
 * upload. A connection that was idle for half of that time is replaced when it is next needed.
 *
 * Monitors are pinged, more often where the time of an operation is short.
 */
function deadConnectionSettings(opTimeoutSeconds: number): readonly Setting[] {
  const pingTimeout = Math.max(3, Math.min(30, Math.ceil(opTimeoutSeconds / 3)));
  return [
    ["ms_connection_idle_timeout", `${Math.min(900, Math.ceil(opTimeoutSeconds * 0.75))}`],
    ["mon_client_ping_interval", `${Math.floor(pingTimeout / 3)}`],
    ["mon_client_ping_timeout", `${pingTimeout}`],
  ];
}
