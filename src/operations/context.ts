import type { OperationEvent } from "./events.js";

/** What every operation gets from its caller. */
export interface OperationContext {
  /** Ends the operation within seconds when it fires. */
  readonly signal: AbortSignal;
  /** Takes each event as it happens; must not throw. */
  report(event: OperationEvent): void;
  /** The passphrase, asked for once; bytes as typed. */
  passphrase(): Promise<Uint8Array>;
}
