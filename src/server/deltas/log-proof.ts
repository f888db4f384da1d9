import { errorMessage, InterruptedError, NotLeaderError } from "../../errors.js";
import { type Clock, systemClock } from "../../flow/sleep.js";
import type { DeltaProof } from "../../operations/status/delta-status.js";
import { OwnEnds } from "./own-ends.js";
import { ProvenRanges } from "./proven-ranges.js";
import type { LogPosition } from "./stream-writer.js";

/** What comparing a raw snapshot with the one before it and the deltas between has found. */
export type ProofResult =
  /** `older` is the revision of the raw snapshot before, which `name` holds. */
  | {
      readonly outcome: "proven";
      readonly name: string;
      readonly older: number;
      readonly last: number;
    }
  | { readonly outcome: "differs"; readonly older: number; readonly message: string }
  /** There is one before it, but deltas between are missing. */
  | { readonly outcome: "no-log"; readonly older: number; readonly message: string }
  /** There is nothing to compare it with. */
  | { readonly outcome: "nothing-before" };

interface ProofParts {
  prove(snapshot: string, signal: AbortSignal): Promise<ProofResult>;
  /** A proof has ended, however. */
  ended(proof: DeltaProof): void;
  readonly clock?: Clock | undefined;
}

interface Waiting {
  readonly snapshot: string;
  readonly revision: number;
  /** Whether all deltas up to it were stored when it was made. */
  readonly isLogStored: boolean;
}

/** What the stores hold of the log now. */
export interface StoredDeltas {
  /** Whether no delta up to this revision is on its way to the stores. */
  hasSettled(revision: number): boolean;
  /** Whether any delta up to this revision is in one of the stores. */
  holdsAnyUpTo(revision: number): boolean;
}

/** Tries of a proof that fails: a store may be down for minutes. */
const TRIES = 3;
const WAIT_MS = 60_000;
/** Backups that wait. With more of them proofs are too slow, and the oldest is left out. */
const MOST_WAITING = 24;
/** Former backups that are compared again after one that was proved. */
const TRIED_AGAIN = 4;

/**
 * Proves the log by each full backup, once the deltas up to it are stored: one proof at a time, in the order of the
 * backups. What one of them could not prove stays unproven until a later comparison spans it, or its deltas are deleted.
 */
export class LogProof {
  readonly #parts: ProofParts;
  readonly #clock: Clock;
  readonly #waiting: Waiting[] = [];
  readonly #ranges = new ProvenRanges();
  readonly #ends = new OwnEnds();
  /** Aborts when the log may be of another history of etcd: what is compared then says nothing of it. */
  #history = new AbortController();
  #isRunning = false;
  #proof: DeltaProof | undefined;

  constructor(parts: ProofParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
  }

  /** What is wrong with the log first, or else the last proof that has ended. */
  get proof(): DeltaProof | undefined {
    return this.#ranges.firstUnproven?.proof ?? this.#proof;
  }

  /** All before it was proved, from the first raw snapshot that was compared on. */
  get provenRevision(): number | undefined {
    return this.#ranges.end;
  }

  /**
   * A full backup has a raw snapshot of this revision.
   *
   * @param isLogStored whether deltas up to it were stored before: then none may come after it
   */
  request(snapshot: string, revision: number, isLogStored: boolean, stored: StoredDeltas): void {
    // Once its deltas are deleted, no restore reads what is not proved.
    this.#ranges.forget(({ last }) => !stored.holdsAnyUpTo(last));
    this.#ranges.forgetProven(({ last }) => !stored.holdsAnyUpTo(last));
    this.#waiting.push({ snapshot, revision, isLogStored });
    if (this.#waiting.length <= MOST_WAITING) return;
    const left = this.#waiting.shift();
    if (left !== undefined) {
      this.#fail(left, "failed", "was not compared with the log: later backups wait as well");
    }
  }

  /** Another stream begins with a base, maybe of another history of etcd: what was proved says nothing of it. */
  baseMade(position: LogPosition): void {
    const { proof } = this;
    this.#endHistory();
    this.#ranges.clear();
    this.#proof = withoutProven(proof);
    this.#ends.begin(position);
  }

  /**
   * A term begins, and its log goes on from here. If another server has written it meanwhile, it may be that of another history.
   * What was not proved stays in view.
   */
  wentOn(position: LogPosition): void {
    if (!this.#ends.has(position)) {
      this.#endHistory();
      this.#ranges.clearProven();
      this.#proof = withoutProven(this.#proof);
    }
    this.#ends.begin(position);
  }

  /** A delta up to here is on its way to the stores. */
  sealed(position: LogPosition): void {
    this.#ends.sealed(position);
  }

  /** A store has the delta that ends with this revision. */
  stored(last: number): void {
    this.#ends.stored(last);
  }

  #endHistory(): void {
    this.#waiting.length = 0;
    this.#history.abort();
    this.#history = new AbortController();
  }

  /** Begins the oldest proof that waits, once the deltas up to it are stored. To be called often. */
  look(stored: StoredDeltas, signal: AbortSignal): void {
    const [next] = this.#waiting;
    if (next === undefined || this.#isRunning) return;
    if (!next.isLogStored && !stored.hasSettled(next.revision)) return;
    this.#waiting.shift();
    this.#isRunning = true;
    void this.#run(next, signal).finally(() => {
      this.#isRunning = false;
    });
  }

  async #run(one: Waiting, signal: AbortSignal): Promise<void> {
    const { snapshot } = one;
    const { signal: history } = this.#history;
    const inner = AbortSignal.any([signal, history]);
    for (let tries = 1; ; tries++) {
      try {
        const result = await this.#parts.prove(snapshot, inner);
        if (!history.aborted) this.#take(one, result);
        return;
      } catch (error) {
        if (history.aborted) return;
        const isOver = error instanceof InterruptedError || error instanceof NotLeaderError;
        if (isOver || signal.aborted) {
          // The next term proves it.
          this.#waiting.unshift(one);
          await this.#clock.sleep(WAIT_MS, inner).catch(() => {});
          return;
        }
        if (tries === TRIES) {
          const why = errorMessage(error);
          this.#fail(one, "failed", `could not be compared with the log: ${why}`);
          return;
        }
        await this.#clock.sleep(WAIT_MS, inner).catch(() => {});
      }
    }
  }

  #take(one: Waiting, result: ProofResult): void {
    const { snapshot, revision } = one;
    switch (result.outcome) {
      case "nothing-before":
        this.#ranges.forgetProven(({ last }) => last < revision);
        return;
      case "differs":
        this.#fail(one, "differs", result.message, result.older);
        return;
      case "no-log":
        this.#fail(one, "failed", result.message, result.older);
        return;
      case "proven": {
        const { name: before, older, last } = result;
        this.#ranges.prove(older, last);
        const message = `${snapshot} proves the log from revision ${older} up to ${last}`;
        this.#end({ outcome: "proven", message, at: new Date().toISOString() });
        // It was made by another server or by hand, and was not compared itself.
        if (this.#ranges.hasGapUpTo(older)) this.#again(before, older);
        // What has failed before, as while a store was down, may succeed now.
        for (const { name, last: failed } of this.#ranges.failed.slice(0, TRIED_AGAIN)) {
          this.#again(name, failed);
        }
      }
    }
  }

  #again(snapshot: string, revision: number): void {
    if (this.#waiting.some((other) => other.snapshot === snapshot)) return;
    this.#waiting.push({ snapshot, revision, isLogStored: true });
  }

  #fail(
    { snapshot, revision }: Waiting,
    outcome: "differs" | "failed",
    message: string,
    older?: number,
  ): void {
    const proof = { outcome, message: `${snapshot}: ${message}`, at: new Date().toISOString() };
    this.#ranges.fail({ name: snapshot, older, last: revision, proof });
    this.#end(proof);
  }

  #end(proof: DeltaProof): void {
    this.#proof = proof;
    this.#parts.ended(proof);
  }
}

function withoutProven(proof: DeltaProof | undefined): DeltaProof | undefined {
  return proof?.outcome === "proven" ? undefined : proof;
}
