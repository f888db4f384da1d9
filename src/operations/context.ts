import type { WriteGuard } from "../snapstore/layers/guarded.js";
import type { OperationEvent } from "./events.js";
import type { StateFolder } from "./open/state-file.js";

/** What every operation gets from its caller, beside its options. */
export interface OperationContext {
  /** When it aborts, the operation throws `InterruptedError` within seconds. */
  readonly signal: AbortSignal;
  /** Never throws and never blocks. */
  report(event: OperationEvent): void;
  /** Called at most once by an operation, and only when it needs keys. */
  passphrase(): Promise<Uint8Array>;
  /** The folder that remembers the newest snapshots of stores; undefined: nothing is remembered. */
  readonly stateFolder?: StateFolder | undefined;
  /** Asked before each call that changes a store: a server may write only while it leads. */
  readonly guard?: WriteGuard | undefined;
}

/** For an operation on stores that needs no keys. */
export type StoreContext = Pick<OperationContext, "signal" | "report" | "stateFolder" | "guard">;
