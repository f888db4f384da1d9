import { errorMessage, InterruptedError, NotLeaderError } from "../../errors.js";
import { type Clock, systemClock } from "../../flow/sleep.js";
import type { DeltaProof } from "../../operations/status/delta-status.js";

/** What comparing a raw snapshot with the one before it and the deltas between has found. */
export type ProofResult =
  | { readonly outcome: "proven"; readonly last: number }
  | { readonly outcome: "differs"; readonly message: string }
  /** There is nothing to compare it with. */
  | { readonly outcome: "nothing-before" };

interface ProofParts {
  prove(snapshot: string, signal: AbortSignal): Promise<ProofResult>;
  /** A proof has ended, however. */
  ended(proof: DeltaProof): void;
  readonly clock?: Clock | undefined;
}

/** Tries of a proof that fails: a store may be down for minutes. */
const TRIES = 3;
const WAIT_MS = 60_000;

/** Proves the log by each full backup, once the deltas up to it are stored: one proof at a time, of the newest. */
export class LogProof {
  readonly #parts: ProofParts;
  readonly #clock: Clock;
  #waiting: { readonly snapshot: string; readonly revision: number } | undefined;
  #isRunning = false;
  #proof: DeltaProof | undefined;
  #provenRevision: number | undefined;

  constructor(parts: ProofParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
  }

  /** The last one that has ended. */
  get proof(): DeltaProof | undefined {
    return this.#proof;
  }

  get provenRevision(): number | undefined {
    return this.#provenRevision;
  }

  /** A full backup has a raw snapshot of this revision. */
  request(snapshot: string, revision: number): void {
    this.#waiting = { snapshot, revision };
  }

  /** Another history of etcd begins: what was proved says nothing of it. */
  forget(): void {
    this.#waiting = undefined;
    this.#provenRevision = undefined;
  }

  /** Begins the proof that waits once its revision is durable. To be called often. */
  look(durable: number | undefined, signal: AbortSignal): void {
    const waiting = this.#waiting;
    if (waiting === undefined || this.#isRunning || (durable ?? -1) < waiting.revision) return;
    this.#waiting = undefined;
    this.#isRunning = true;
    void this.#run(waiting.snapshot, signal).finally(() => {
      this.#isRunning = false;
    });
  }

  async #run(snapshot: string, signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        const result = await this.#parts.prove(snapshot, signal);
        if (result.outcome === "nothing-before") return;
        if (result.outcome === "differs") this.#end("differs", `${snapshot}: ${result.message}`);
        else {
          this.#provenRevision = result.last;
          this.#end("proven", `${snapshot} proves the log up to revision ${result.last}`);
        }
        return;
      } catch (error) {
        const isOver = error instanceof InterruptedError || error instanceof NotLeaderError;
        if (isOver || signal.aborted) return;
        if (tries === TRIES) {
          const why = errorMessage(error);
          this.#end("failed", `${snapshot} could not be compared with the log: ${why}`);
          return;
        }
        await this.#clock.sleep(WAIT_MS, signal).catch(() => {});
      }
    }
  }

  #end(outcome: DeltaProof["outcome"], message: string): void {
    this.#proof = { outcome, message, at: new Date().toISOString() };
    this.#parts.ended(this.#proof);
  }
}
