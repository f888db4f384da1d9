import type { OperationEvent } from "./events.js";
import type { StateFolder } from "./open/state-file.js";

/** What an operation gets from its caller besides its own options. */
export interface OperationContext {
  /** When it aborts, the operation throws `InterruptedError` within seconds. */
  readonly signal: AbortSignal;
  /** Never throws and never blocks. */
  report(event: OperationEvent): void;
  /** Called at most once by an operation, and only when it needs keys. */
  passphrase(): Promise<Uint8Array>;
  /** Where the program keeps what stores have shown; undefined: it keeps nothing. */
  readonly stateFolder?: StateFolder | undefined;
}

/** For an operation on stores that needs no keys. */
export type StoreContext = Pick<OperationContext, "signal" | "report" | "stateFolder">;
