/**
 * Settings of an agent that keeps connections for the next call. An idle one is closed after `timeout` ms:
 * long before a firewall or a load balancer forgets it without a word, after which a call on it would wait
 * for its whole deadline, and the next one on another such connection again.
 */
export const KEPT_CONNECTIONS = { keepAlive: true, timeout: 15_000 } as const;
