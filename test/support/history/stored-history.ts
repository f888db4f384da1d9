import fc from "fast-check";
import type { ListedBase } from "../../../src/server/deltas/newest-history.js";
import type { ListedHistory } from "../../../src/server/deltas/stored-log.js";
import { deltaName } from "../../../src/snapshots/streams/delta-name.js";
import type { StoredStream } from "../../../src/snapshots/streams/stored-stream.js";
import { StreamFolder } from "../../../src/snapshots/streams/stream-folder.js";
import { type StreamName, streamName } from "../../../src/snapshots/streams/stream-name.js";

/** A revision as etcd made it: after a restore of etcd to the past, another one has its number. */
type Written = { readonly revision: number };

interface MadeDelta {
  readonly number: number;
  /** Seconds since 1970. */
  readonly time: number;
  readonly held: readonly Written[];
}

interface MadeStream {
  readonly name: StreamName;
  /** What its base holds. */
  readonly base: readonly Written[] | undefined;
  /** Of the base, ms since 1970. */
  readonly startedMs: number;
  readonly deltas: readonly MadeDelta[];
}

interface MadeFull extends ListedBase {
  readonly line: readonly Written[];
}

/** What a store holds of etcd's history. */
export interface HistoryCopy {
  readonly streams: readonly MadeStream[];
  readonly fulls: readonly MadeFull[];
}

/** All that the log has written. */
export interface MadeHistory extends HistoryCopy {
  /** The histories of etcd, the newest last; index 0 of each is revision 1. */
  readonly lines: readonly (readonly Written[])[];
}

export type Step =
  | { readonly kind: "write"; readonly revisions: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "flush" }
  /** Another server goes on with the log. */
  | { readonly kind: "term" }
  /** The log begins anew with a base of the same history. */
  | { readonly kind: "broken" }
  /** The raw snapshot is taken when it begins, or when it ends. */
  | { readonly kind: "begin-full"; readonly isLate: boolean }
  /** Of the full that was begun first. */
  | { readonly kind: "end-full" }
  /** `compact` reads the log as it is, and stores what it has merged later. */
  | { readonly kind: "begin-merge" }
  | { readonly kind: "end-merge" }
  /** Another history, of which the log begins at once. */
  | { readonly kind: "restore-etcd"; readonly back: number; readonly writes: number };

const START_MS = 1_600_000_000_000;

const write = fc.record({
  kind: fc.constant("write" as const),
  revisions: fc.integer({ min: 1, max: 4 }),
});
const restoreEtcd = fc.record({
  kind: fc.constant("restore-etcd" as const),
  back: fc.integer({ min: 1, max: 6 }),
  writes: fc.integer({ min: 0, max: 3 }),
});
const wait = fc.record({
  kind: fc.constant("wait" as const),
  ms: fc.integer({ min: 1, max: 2500 }),
});
const beginFull = fc.record({ kind: fc.constant("begin-full" as const), isLate: fc.boolean() });
const FLUSH = { kind: "flush" } as const;
const TERM = { kind: "term" } as const;
const BROKEN = { kind: "broken" } as const;
const END_FULL = { kind: "end-full" } as const;
const BEGIN_MERGE = { kind: "begin-merge" } as const;
const END_MERGE = { kind: "end-merge" } as const;
const LONG_WAIT = { kind: "wait", ms: 2000 } as const;

/** Histories in which etcd is restored to the past, also while full backups are made. */
export const restoredHistories = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: write },
      { weight: 2, arbitrary: wait },
      { weight: 3, arbitrary: fc.constantFrom<Step>(FLUSH, FLUSH, TERM, BROKEN) },
      { weight: 2, arbitrary: beginFull },
      { weight: 2, arbitrary: fc.constant<Step>(END_FULL) },
      { weight: 2, arbitrary: fc.constantFrom<Step>(BEGIN_MERGE, END_MERGE) },
      { weight: 2, arbitrary: restoreEtcd },
    ),
    { maxLength: 30, size: "max" },
  )
  .map(makeHistory);

/** Histories of an etcd that is never restored, with seconds between all that happens. */
export const plainHistories = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: write.map((one): Step[] => [one]) },
      { weight: 3, arbitrary: fc.constantFrom<Step[]>([FLUSH], [FLUSH], [TERM], [BROKEN]) },
      // As a server makes it: another stream begins right after it.
      beginFull.map((begin): Step[] => [FLUSH, LONG_WAIT, begin, END_FULL, TERM]),
      fc.constantFrom<Step[]>([BEGIN_MERGE], [END_MERGE]),
    ),
    { maxLength: 30, size: "max" },
  )
  .map((all) => makeHistory(all.flatMap((steps) => [...steps, LONG_WAIT])));

class Simulation {
  nowMs = START_MS;
  line: Written[] = [];
  readonly earlier: Written[][] = [];
  readonly streams: (MadeStream & { deltas: MadeDelta[] })[] = [];
  readonly fulls: MadeFull[] = [];
  readonly #begun: (Pick<MadeFull, "begunMs"> & { line: Written[] | undefined })[] = [];
  /** What is merged, and the second at which its last revision was seen. */
  #merging: { line: readonly Written[]; seen: number } | undefined;
  /** The last revision that is in the log. */
  #logged = 0;
  /** The stream that is written on. */
  #open: (MadeStream & { deltas: MadeDelta[] }) | undefined;
  /** When the last revision of the log was seen, seconds since 1970. */
  #seen = 0;

  write(revisions: number): void {
    for (let i = 0; i < revisions; i++) this.line.push({ revision: this.line.length + 1 });
  }

  flush(): void {
    const held = this.line.slice(this.#logged);
    if (held.length === 0) return;
    this.#open ??= this.#addStream(this.#logged, undefined);
    const { deltas } = this.#open;
    deltas.push({ number: deltas.length, time: this.#seconds, held });
    this.#logged = this.line.length;
    this.#seen = this.#seconds;
  }

  term(): void {
    this.#open = undefined;
  }

  broken(): void {
    this.#logged = this.line.length;
    this.#open = this.#addStream(this.#logged, [...this.line]);
    this.#seen = this.#open.name.time;
  }

  restoreEtcd(back: number, writes: number): void {
    this.earlier.push(this.line);
    this.line = this.line.slice(0, Math.max(1, this.line.length - back));
    this.write(writes);
    this.broken();
  }

  beginFull(isLate: boolean): void {
    this.#begun.push({ begunMs: 1000 * this.#seconds, line: isLate ? undefined : [...this.line] });
  }

  endFull(): void {
    const full = this.#begun.shift();
    if (full === undefined) return;
    const { begunMs, line = [...this.line] } = full;
    this.fulls.push({ begunMs, takenMs: this.nowMs, revision: line.length, line });
  }

  get #seconds(): number {
    return Math.floor(this.nowMs / 1000);
  }

  beginMerge(): void {
    this.#merging = { line: this.line.slice(0, this.#logged), seen: this.#seen };
  }

  endMerge(): void {
    const merged = this.#merging;
    if (merged === undefined) return;
    this.#merging = undefined;
    this.#addStream(merged.line.length, merged.line, merged.seen);
  }

  /** Each name is later than those of all others. */
  #addStream(after: number, base: readonly Written[] | undefined, seen?: number) {
    const time = Math.max(this.#seconds, (this.streams.at(-1)?.name.time ?? 0) + 1);
    const id = String(this.streams.length).padStart(8, "0");
    const name = streamName({ firstRevision: after + 1, time, id });
    const stream = { name, base, startedMs: 1000 * (seen ?? time), deltas: [] as MadeDelta[] };
    this.streams.push(stream);
    return stream;
  }
}

/** A base at revision 1 begins the log, then the steps follow. */
export function makeHistory(steps: readonly Step[]): MadeHistory {
  const run = new Simulation();
  run.write(1);
  run.broken();
  for (const step of steps) {
    switch (step.kind) {
      case "write":
        run.write(step.revisions);
        break;
      case "wait":
        run.nowMs += step.ms;
        break;
      case "flush":
        run.flush();
        break;
      case "term":
        run.term();
        break;
      case "broken":
        run.broken();
        break;
      case "begin-full":
        run.beginFull(step.isLate);
        break;
      case "end-full":
        run.endFull();
        break;
      case "begin-merge":
        run.beginMerge();
        break;
      case "end-merge":
        run.endMerge();
        break;
      case "restore-etcd":
        run.restoreEtcd(step.back, step.writes);
        break;
    }
  }
  return { streams: run.streams, fulls: run.fulls, lines: [...run.earlier, run.line] };
}

/** The listing of a store with this copy. */
export function listingOf({ streams, fulls }: HistoryCopy): ListedHistory {
  return { snapshots: [], streams: streams.flatMap((one) => listed(one) ?? []), bases: fulls };
}

function listed({ name, base, startedMs, deltas }: MadeStream): StoredStream | undefined {
  const folder = new StreamFolder(name, false);
  const add = (file: string) =>
    folder.add({ key: `${name.text}/${file}`, size: 100, modified: new Date(0) });
  for (const { number, time, held } of deltas) {
    const [first, last] = [held[0]?.revision ?? 0, held.at(-1)?.revision ?? 0];
    add(deltaName({ number, first, last, time }));
  }
  if (base !== undefined) add("METADATA.bin");
  const { stream } = folder.end() ?? {};
  if (stream === undefined) return undefined;
  const time = new Date(startedMs).toISOString();
  const facts = {
    id: "",
    kind: "full" as const,
    base: null,
    startedAt: time,
    finishedAt: time,
    files: 1,
    bytes: 1,
    digest: "",
  };
  return {
    ...stream,
    base: base && { state: "complete", revision: base.length, facts },
  };
}

/** The last revision of a line that a restore from a copy reaches; undefined if it reaches none. */
export function reachOf(
  { streams, fulls }: HistoryCopy,
  line: readonly Written[],
): number | undefined {
  const isOfLine = (held: readonly Written[]) =>
    held.every((one) => line[one.revision - 1] === one);
  const deltas = streams.flatMap((one) => one.deltas.map(({ held }) => held)).filter(isOfLine);
  const bases = [
    ...fulls.map((one) => one.line),
    ...streams.flatMap(({ base }) => (base === undefined ? [] : [base])),
  ];
  let reached: number | undefined;
  for (const base of bases.filter(isOfLine)) {
    let end = base.length;
    for (;;) {
      const next = deltas.find((held) => held.some(({ revision }) => revision === end + 1));
      if (next === undefined) break;
      end = next.at(-1)?.revision ?? end;
    }
    reached = Math.max(reached ?? 0, end);
  }
  return reached;
}
