import type { DeltaTimes } from "../../../src/snapshots/retention/stream-candidate.js";
import fc from "fast-check";
import type { HistoryBase } from "../../../src/operations/history/plan/plan-history.js";
import type { LogRun, PlannedStream } from "../../../src/operations/history/plan/log-line.js";

/** What happens to etcd and to its log, in order. */
type Step =
  | { readonly kind: "write"; readonly revisions: number; readonly ms: number }
  | { readonly kind: "flush" }
  | { readonly kind: "lose" }
  | { readonly kind: "stream" }
  | { readonly kind: "base" }
  /** A full backup takes its raw snapshot at once, and is complete much later. */
  | { readonly kind: "begin-full" }
  | { readonly kind: "end-full" }
  /** What was not flushed is lost, and the log begins anew with a base. */
  | { readonly kind: "broken" }
  | { readonly kind: "set-back"; readonly ms: number }
  | { readonly kind: "compact" }
  | { readonly kind: "restore-etcd"; readonly back: number };

/** A base that knows what it holds: the line of etcd by revision. */
export interface SimulatedBase extends HistoryBase {
  readonly line: readonly Written[];
}

/** A revision as etcd made it; two of the same number are different objects. */
export interface Written {
  readonly revision: number;
  readonly seenMs: number;
}

export interface SimulatedStream extends PlannedStream {
  readonly deltas: PlannedStream["deltas"] & DeltaTimes;
  /** What its deltas hold, by revision. */
  readonly held: ReadonlyMap<number, Written>;
}

export interface SimulatedHistory {
  readonly bases: readonly SimulatedBase[];
  readonly streams: readonly SimulatedStream[];
  /** The history of etcd at the end; index 0 is revision 1. */
  readonly line: readonly Written[];
  readonly endMs: number;
}

const START_MS = 1_600_000_000_000;

const write = fc.record({
  kind: fc.constant("write" as const),
  revisions: fc.integer({ min: 1, max: 5 }),
  ms: fc.integer({ min: 0, max: 3000 }),
});
const step = (
  kind: "flush" | "lose" | "stream" | "base" | "compact" | "begin-full" | "end-full" | "broken",
) => fc.constant({ kind } as const);
const restoreEtcd = fc.record({
  kind: fc.constant("restore-etcd" as const),
  back: fc.integer({ min: 1, max: 8 }),
});

/** Histories without a restore of etcd: there is one line. */
export const oneLine = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: write },
      { weight: 3, arbitrary: step("flush") },
      step("lose"),
      step("stream"),
      { weight: 2, arbitrary: step("base") },
      step("compact"),
    ),
    { maxLength: 40 },
  )
  .map(simulate);

/** Histories in which etcd is restored to the past, and its log begins anew with a base each time. */
export const severalLines = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: write },
      { weight: 3, arbitrary: step("flush") },
      step("stream"),
      { weight: 2, arbitrary: step("base") },
      restoreEtcd,
    ),
    { maxLength: 40 },
  )
  .map(simulate);

const lateSteps = [
  { weight: 4, arbitrary: write },
  { weight: 3, arbitrary: step("flush") },
  step("lose"),
  step("stream"),
  step("base"),
  step("begin-full"),
  step("end-full"),
  step("broken"),
] as const;

/** One line, with full backups that are complete long after their raw snapshots. */
export const lateFulls = fc
  .array(fc.oneof(...lateSteps), { maxLength: 40, size: "max" })
  .map(simulate);

/** Like that, with clocks that are set back, and restores of etcd to the past; some streams and bases are lost. */
export const troubled = fc
  .record({
    history: fc
      .array(
        fc.oneof(
          ...lateSteps,
          fc.record({
            kind: fc.constant("set-back" as const),
            ms: fc.integer({ min: 1000, max: 20_000 }),
          }),
          restoreEtcd,
        ),
        { maxLength: 40, size: "max" },
      )
      .map(simulate),
    lostStreams: fc.array(fc.nat(8), { maxLength: 2 }),
    lostBases: fc.array(fc.nat(8), { maxLength: 2 }),
  })
  .map(({ history, lostStreams, lostBases }): SimulatedHistory => {
    return {
      ...history,
      streams: history.streams.filter((_, i) => !lostStreams.includes(i)),
      bases: history.bases.filter((_, i) => !lostBases.includes(i)),
    };
  });

class Simulation {
  nowMs = START_MS;
  line: Written[] = [];
  compact = 0;
  readonly bases: SimulatedBase[] = [];
  readonly streams: BuiltStream[] = [];
  /** Full backups that are not complete. */
  readonly #begun: Omit<SimulatedBase, "takenMs">[] = [];
  /** The first revision that no delta has. */
  next = 1;

  /** @param stream that goes on from it */
  base(stream?: string): void {
    this.beginFull(stream);
    // A backup is complete some time after its raw snapshot was taken.
    this.nowMs += 1;
    this.#complete(this.#begun.pop());
  }

  beginFull(stream?: string): void {
    const revision = this.line.length;
    if (revision === 0) return;
    const name = `base ${this.bases.length + this.#begun.length}`;
    const [begunMs, compactRevision] = [this.nowMs, this.compact];
    const of = stream === undefined ? {} : { stream: { text: stream } };
    this.#begun.push({ name, revision, begunMs, compactRevision, line: [...this.line], ...of });
  }

  endFull(): void {
    this.nowMs += 1;
    this.#complete(this.#begun.shift());
  }

  #complete(base: Omit<SimulatedBase, "takenMs"> | undefined): void {
    if (base !== undefined) this.bases.push({ ...base, takenMs: this.nowMs });
  }

  broken(): void {
    this.next = this.line.length + 1;
    this.base(`stream ${this.streams.length}`);
    this.stream();
  }

  /** Like the server: the folder of a stream says its first revision, and a time after those of all before. */
  stream(): void {
    this.nowMs = Math.ceil((this.nowMs + 1) / 1000) * 1000;
    const time = Math.max(this.nowMs / 1000, (this.streams.at(-1)?.name.time ?? 0) + 1);
    this.streams.push(new BuiltStream(this.next, time, this.streams.length));
  }

  flush(lost: boolean): void {
    if (this.line.length < this.next) return;
    const held = this.line.slice(this.next - 1);
    this.streams.at(-1)?.flush(held, lost);
    this.next = this.line.length + 1;
  }

  restoreEtcd(back: number): void {
    const kept = Math.max(1, this.line.length - back);
    if (this.line.length <= 1) return;
    this.line = this.line.slice(0, kept);
    this.compact = Math.min(this.compact, kept - 1);
    this.next = kept + 1;
    this.nowMs += 2000;
    this.base(`stream ${this.streams.length}`);
    this.stream();
  }
}

class BuiltStream implements SimulatedStream {
  readonly name: PlannedStream["name"];
  readonly held = new Map<number, Written>();
  readonly #deltas: { first: number; last: number; time: number }[] = [];
  readonly #runs: LogRun[] = [];

  constructor(firstRevision: number, time: number, number: number) {
    this.name = { text: `stream ${number}`, firstRevision, time };
  }

  get runs(): readonly LogRun[] {
    return this.#runs;
  }

  get deltas() {
    const deltas = this.#deltas;
    return {
      at: (index: number) => deltas[index] ?? { first: 0, last: 0, time: 0 },
      length: deltas.length,
      [Symbol.iterator]: () => deltas.values(),
    };
  }

  flush(written: readonly Written[], lost: boolean): void {
    const [from, to] = [written[0], written.at(-1)];
    if (lost || from === undefined || to === undefined) return;
    const [first, last] = [from.revision, to.revision];
    for (const one of written) this.held.set(one.revision, one);
    // A writer raises times of a clock that was set back.
    const time = Math.max(Math.floor(to.seenMs / 1000), this.#deltas.at(-1)?.time ?? 0);
    const at = this.#deltas.push({ first, last, time }) - 1;
    const run = this.#runs.at(-1);
    if (run !== undefined && run.last + 1 === first) {
      this.#runs[this.#runs.length - 1] = { ...run, count: run.count + 1, last };
    } else this.#runs.push({ at, count: 1, first, last });
  }
}

function simulate(steps: readonly Step[]): SimulatedHistory {
  const run = new Simulation();
  run.stream();
  for (const one of steps) {
    switch (one.kind) {
      case "write":
        run.nowMs += one.ms;
        for (let i = 0; i < one.revisions; i++) {
          run.line.push({ revision: run.line.length + 1, seenMs: run.nowMs });
        }
        break;
      case "flush":
        run.flush(false);
        break;
      case "lose":
        run.flush(true);
        break;
      case "stream":
        run.flush(false);
        run.stream();
        break;
      case "base":
        run.base();
        break;
      case "begin-full":
        run.beginFull();
        break;
      case "end-full":
        run.endFull();
        break;
      case "broken":
        run.broken();
        break;
      case "set-back":
        run.nowMs -= one.ms;
        break;
      case "compact":
        run.compact = Math.max(run.compact, run.line.length - 3, 0);
        break;
      case "restore-etcd":
        run.flush(false);
        run.restoreEtcd(one.back);
        break;
    }
  }
  const { bases, streams, line, nowMs } = run;
  return { bases, streams, line, endMs: nowMs };
}
