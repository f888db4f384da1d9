import type { OperationEvent } from "./events.js";
import type { StateFolder } from "./open/state-file.js";

/** What an operation gets from its caller besides its own options. */
export interface OperationContext {
  /** When it fires the operation throws `InterruptedError` within seconds. */
  readonly signal: AbortSignal;
  /** Never throws and never waits. */
  report(event: OperationEvent): void;
  /** Asked at most once for each operation, and only when it needs keys. */
  passphrase(): Promise<Uint8Array>;
  /** Where it is remembered what stores have shown; undefined: nowhere. */
  readonly stateFolder?: StateFolder | undefined;
}

/** Of an operation on stores that needs no keys. */
export type StoreContext = Pick<OperationContext, "signal" | "report" | "stateFolder">;
