/** What a client may use up, and other times. */
export interface HttpLimits {
  readonly connections: number;
  /** Connections of {@link connections} that may wait for events. */
  readonly eventStreams: number;
  readonly headerBytes: number;
  readonly bodyBytes: number;
  /** From the connection to the end of the headers. */
  readonly headersMs: number;
  /** From the connection to the end of the body. */
  readonly requestMs: number;
  /** Without a byte in either direction. */
  readonly idleMs: number;
  /** Until the next request on a connection. */
  readonly keepAliveMs: number;
  /** Between events when nothing changes, so that proxies keep the connection. */
  readonly heartbeatMs: number;
  /** Changes within this time are one event. */
  readonly gatherMs: number;
  /** Between two looks at the files of the certificate. */
  readonly certificateMs: number;
}

export const DEFAULT_LIMITS: HttpLimits = {
  connections: 256,
  eventStreams: 64,
  headerBytes: 16 * 1024,
  bodyBytes: 1024,
  headersMs: 10_000,
  requestMs: 20_000,
  idleMs: 60_000,
  keepAliveMs: 30_000,
  heartbeatMs: 15_000,
  gatherMs: 1_000,
  certificateMs: 5_000,
};
