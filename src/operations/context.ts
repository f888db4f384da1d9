import type { OperationEvent } from "./events.js";

/** What an operation gets from its caller besides its own options. */
export interface OperationContext {
  /** When it fires the operation throws `InterruptedError` within seconds. */
  readonly signal: AbortSignal;
  /** Never throws and never waits. */
  report(event: OperationEvent): void;
  /** Asked at most once for each operation, and only when it needs keys. */
  passphrase(): Promise<Uint8Array>;
}
