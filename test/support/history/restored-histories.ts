import fc from "fast-check";
import type { HistoryBase } from "../../../src/operations/history/plan/history-plan.js";
import type { LogRun, PlannedStream } from "../../../src/operations/history/plan/log-line.js";

/** A revision as etcd made it; two of the same number are different objects. */
export interface Made {
  readonly revision: number;
}

/** A base with what it holds; index 0 is revision 1. */
export interface HeldBase extends HistoryBase {
  readonly line: readonly Made[];
  readonly epoch: number;
}

/** What etcd was from a time on. */
export interface LiveState {
  readonly fromMs: number;
  readonly line: readonly Made[];
  /** How often etcd had been restored to its past. */
  readonly epoch: number;
}

export interface RestoredHistory {
  readonly bases: readonly HeldBase[];
  readonly streams: readonly RecordedStream[];
  /** In order. */
  readonly states: readonly LiveState[];
  /** Bases that cannot be read. */
  readonly damaged: ReadonlySet<HeldBase>;
  readonly endMs: number;
}

const step = <K extends string>(kind: K) => fc.constant({ kind } as const);
const STEPS = [
  {
    weight: 6,
    arbitrary: fc.record({
      kind: step("write").map(({ kind }) => kind),
      revisions: fc.integer({ min: 1, max: 4 }),
      ms: fc.integer({ min: 0, max: 4000 }),
    }),
  },
  { weight: 4, arbitrary: step("flush") },
  step("lose"),
  { weight: 2, arbitrary: step("full") },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: step("restore").map(({ kind }) => kind),
      back: fc.integer({ min: 1, max: 6 }),
    }),
  },
  /** A server notices that etcd was restored, or does not know where the log ends. */
  { weight: 3, arbitrary: step("follow") },
  /** Another server takes the lead before the last one has ended. */
  fc.record({ kind: step("leader").map(({ kind }) => kind), back: fc.integer({ min: 0, max: 4 }) }),
  step("merge"),
] as const;
type Step = (typeof STEPS)[number] extends infer One
  ? One extends { arbitrary: fc.Arbitrary<infer S> }
    ? S
    : One extends fc.Arbitrary<infer S>
      ? S
      : never
  : never;

/**
 * Histories in which etcd is restored to its past, written to before and after its log notices, followed by two servers at once,
 * and merged; some deltas are lost, and some bases damaged.
 */
export const restoredHistories: fc.Arbitrary<RestoredHistory> = fc
  .record({
    steps: fc.array(fc.oneof(...STEPS), { maxLength: 30, size: "max" }),
    damaged: fc.array(fc.nat(8), { maxLength: 2 }),
  })
  .map(({ steps, damaged }) => {
    const run = new Run();
    for (const one of steps) run.do(one);
    const { bases, streams, states, nowMs } = run;
    return {
      ...{ bases, streams, states },
      damaged: new Set(bases.filter((_, i) => damaged.includes(i))),
      endMs: nowMs,
    };
  });

class Run {
  nowMs = 1_600_000_000_000;
  line: readonly Made[] = [{ revision: 1 }];
  readonly states: LiveState[] = [{ fromMs: 0, line: this.line, epoch: 0 }];
  readonly bases: HeldBase[] = [];
  readonly streams: RecordedStream[] = [];
  #epoch = 0;
  #newestSecond = 0;
  /** That of the server that leads; undefined while none follows etcd. */
  #current: RecordedStream | undefined;
  /** Of a server that does not know that it leads no more. */
  #former: RecordedStream | undefined;

  do(one: Step): void {
    this.nowMs += 1;
    switch (one.kind) {
      case "write": {
        this.nowMs += one.ms;
        const first = this.line.length + 1;
        const made = Array.from({ length: one.revisions }, (_, i) => ({ revision: first + i }));
        this.#change([...this.line, ...made]);
        this.#current?.see(this.line, this.nowMs);
        this.#former?.see(this.line, this.nowMs);
        return;
      }
      case "flush":
      case "lose":
        this.#flush(this.#current, one.kind === "lose");
        this.#flush(this.#former, false);
        this.#former = undefined;
        return;
      case "full":
        this.#base(this.nowMs);
        return;
      case "restore":
        if (this.line.length < 2) return;
        this.#epoch++;
        this.#current = this.#former = undefined;
        this.nowMs += 1500;
        this.#change(this.line.slice(0, Math.max(1, this.line.length - one.back)));
        return;
      case "follow": {
        const name = this.#name(this.line.length + 1);
        this.#base(1000 * name.time, name);
        this.#former = undefined;
        this.#current = this.#begin(name);
        return;
      }
      case "leader": {
        const { next } = this.#current ?? {};
        if (next === undefined) return;
        this.#former = this.#current;
        this.#current = this.#begin(this.#name(Math.max(2, next - one.back)));
        this.#current.see(this.line, this.nowMs);
        this.#flush(this.#current, false);
        return;
      }
      case "merge": {
        const last = this.#current?.lastHeld;
        if (last === undefined) return;
        const begunMs = this.#current?.seenMs.get(last) ?? 0;
        const line = this.line.slice(0, last);
        this.#add({ revision: last, begunMs, takenMs: this.nowMs, line });
        return;
      }
    }
  }

  #change(line: readonly Made[]): void {
    this.line = line;
    this.states.push({ fromMs: this.nowMs, line, epoch: this.#epoch });
  }

  #base(begunMs: number, stream?: PlannedStream["name"]): void {
    const { line } = this;
    this.nowMs += 5;
    const takenMs = Math.max(begunMs, this.nowMs);
    this.#add({ revision: line.length, begunMs, takenMs, line, ...(stream && { stream }) });
  }

  #add(base: Omit<HeldBase, "name" | "epoch" | "compactRevision">): void {
    const name = `base ${this.bases.length}`;
    this.bases.push({ ...base, name, compactRevision: 0, epoch: this.#epoch });
  }

  /** Like the server: later than all times that are known. */
  #name(firstRevision: number): PlannedStream["name"] {
    // Servers do not follow each other within a second, so that names are hardly ahead of the clock.
    this.nowMs += 1000;
    const second = Math.floor(this.nowMs / 1000);
    const seen = this.streams.map(({ lastSecond }) => lastSecond);
    const known = Math.max(this.#newestSecond, ...seen);
    this.#newestSecond = Math.max(second, known + 1);
    return { text: `stream ${this.streams.length}`, firstRevision, time: this.#newestSecond };
  }

  #begin(name: PlannedStream["name"]): RecordedStream {
    const stream = new RecordedStream(name, this.line[name.firstRevision - 2], this.#epoch);
    this.streams.push(stream);
    return stream;
  }

  #flush(stream: RecordedStream | undefined, lost: boolean): void {
    stream?.flush(this.line, lost);
  }
}

export class RecordedStream implements PlannedStream {
  readonly name: PlannedStream["name"];
  /** The revision before its first, as its writer saw it. */
  readonly before: Made | undefined;
  readonly epoch: number;
  readonly held = new Map<number, Made>();
  readonly seenMs = new Map<number, number>();
  /** The first revision that it has not written. */
  next: number;
  readonly #deltas: { first: number; last: number; time: number }[] = [];
  readonly #runs: LogRun[] = [];

  constructor(name: PlannedStream["name"], before: Made | undefined, epoch: number) {
    this.name = name;
    this.before = before;
    this.epoch = epoch;
    this.next = name.firstRevision;
  }

  get runs(): readonly LogRun[] {
    return this.#runs;
  }

  get deltas() {
    const deltas = this.#deltas;
    return { at: (index: number) => deltas[index] ?? { first: 0, last: 0, time: 0 } };
  }

  get lastSecond(): number {
    return this.#deltas.at(-1)?.time ?? 0;
  }

  get lastHeld(): number | undefined {
    return this.#deltas.at(-1)?.last;
  }

  see(line: readonly Made[], nowMs: number): void {
    for (let revision = this.next; revision <= line.length; revision++) {
      if (!this.seenMs.has(revision)) this.seenMs.set(revision, nowMs);
    }
  }

  flush(line: readonly Made[], lost: boolean): void {
    const { next: first } = this;
    const last = line.length;
    if (last < first) return;
    this.next = last + 1;
    if (lost) return;
    for (const one of line.slice(first - 1)) this.held.set(one.revision, one);
    const time = Math.floor((this.seenMs.get(last) ?? 0) / 1000);
    const at = this.#deltas.push({ first, last, time }) - 1;
    const run = this.#runs.at(-1);
    if (run !== undefined && run.last + 1 === first) {
      this.#runs[this.#runs.length - 1] = { ...run, count: run.count + 1, last };
    } else this.#runs.push({ at, count: 1, first, last });
  }
}
