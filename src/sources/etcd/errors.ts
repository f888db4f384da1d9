import { BackupToolError, type ErrorDetails } from "../../errors.js";

/** Stable codes of {@link EtcdError}. */
export type EtcdErrorCode =
  /** No endpoint answers, or the cluster has no leader. */
  | "ETCD_UNAVAILABLE"
  /** An endpoint did not answer in time. */
  | "ETCD_TIMEOUT"
  /** Wrong or missing user or password, or no permission. */
  | "ETCD_AUTH"
  /** The TLS files cannot be read, or the handshake fails. */
  | "ETCD_TLS"
  /** The revision that was read is compacted away. */
  | "ETCD_COMPACTED"
  /** The database is at its quota. */
  | "ETCD_NO_SPACE"
  /** One record exceeds the request limit of the server. */
  | "ETCD_TOO_LARGE"
  /** A lease that a record was put with has expired. */
  | "ETCD_LEASE_GONE"
  /** The endpoints belong to different clusters. */
  | "ETCD_MIXED_CLUSTERS"
  /** An answer is not the protocol buffer that etcd sends. */
  | "ETCD_PROTOCOL"
  /** Any other error of the server. */
  | "ETCD_IO";

/** A call of etcd failed. */
export class EtcdError extends BackupToolError {
  declare readonly code: EtcdErrorCode;
  /** `host:port` of the call. */
  readonly endpoint: string | undefined;
  /** The gRPC method, e.g. `KV/Range`, or what was tried. */
  readonly operation: string | undefined;

  constructor(
    code: EtcdErrorCode,
    message: string,
    options: ErrorDetails & {
      endpoint?: string | undefined;
      operation?: string | undefined;
    } = {},
  ) {
    super(code, message, options);
    this.endpoint = options.endpoint;
    this.operation = options.operation;
  }
}

/**
 * An endpoint that is of another cluster than the others.
 *
 * @param endpoint `host:port`
 * @param clusterId of the others, hexadecimal
 */
export function mixedClusters(endpoint: string, id: bigint, clusterId: string): EtcdError {
  return new EtcdError(
    "ETCD_MIXED_CLUSTERS",
    `etcd ${endpoint} is of cluster ${id.toString(16)}, not ${clusterId}`,
    { endpoint, operation: "connect", hint: "name members of one cluster only" },
  );
}
