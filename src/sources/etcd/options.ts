/** How to connect to etcd, in the terms of etcdctl. */
export interface EtcdOptions {
  /** `host:port`, `http://…` or `https://…`; several are members of one cluster, for failover. */
  readonly endpoints: readonly string[];
  /** PEM file of the authority that signed the servers' certificates. */
  readonly cacert?: string | undefined;
  /** PEM file of the client's certificate. */
  readonly cert?: string | undefined;
  /** PEM file of the client's key. */
  readonly key?: string | undefined;
  /** User, or `user:password` as in etcdctl. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Longest wait for one answer, ms. */
  readonly timeoutMs?: number | undefined;
  /** Longest time without a call, ms. */
  readonly heartbeatMs?: number | undefined;
}
