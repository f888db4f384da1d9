/**
 * Options of an agent that keeps connections open for the next call. An idle connection is closed after `timeout` ms,
 * long before a firewall or a load balancer silently drops it: a call on a dropped connection would wait for its whole
 * deadline.
 */
export const KEPT_CONNECTIONS = { keepAlive: true, timeout: 15_000 } as const;
