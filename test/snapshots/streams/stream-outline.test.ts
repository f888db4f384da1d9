import test from "ava";
import fc from "fast-check";
import { newestTooOld } from "../../../src/snapshots/retention/written-time.js";
import { deltaName } from "../../../src/snapshots/streams/delta-name.js";
import type { DeltaTable } from "../../../src/snapshots/streams/delta-table.js";
import { StreamFolder } from "../../../src/snapshots/streams/stream-folder.js";
import { streamName } from "../../../src/snapshots/streams/stream-name.js";
import { outlined } from "../../../src/snapshots/streams/stream-outline.js";
import { MemoryStore } from "../../support/stores/memory-store.js";
import { idOf } from "../../support/stores/stored-streams.js";

const store = new MemoryStore();

/** Streams as a listing has them, each with deltas of these times. */
function listed(streams: readonly (readonly number[])[]) {
  return streams.flatMap((times, i) => {
    const name = streamName({ firstRevision: 5, time: times[0] ?? 1, id: idOf(i + 1) });
    const folder = new StreamFolder(name, false);
    for (const [number, time] of times.entries()) {
      const file = deltaName({ number, first: 5 + number, last: 5 + number, time });
      folder.add({ key: `${name.text}/${file}`, size: 100, modified: new Date(time * 1000) });
    }
    const { stream } = folder.end() ?? {};
    return stream === undefined ? [] : [stream];
  });
}

/** Times with these pauses between them. */
function after(start: number, pauses: readonly number[]): number[] {
  const times = [start];
  for (const pause of pauses) times.push((times.at(-1) ?? start) + pause);
  return times;
}

const pauses = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: fc.nat(30) },
    { weight: 2, arbitrary: fc.integer({ min: 31, max: 130 }) },
    { weight: 1, arbitrary: fc.integer({ min: 3600, max: 100_000 }) },
  ),
  { minLength: 1, maxLength: 60 },
);

test("where memory is short, retention takes streams for some minutes younger, and never for older", (t) => {
  fc.assert(
    fc.property(
      fc.array(pauses, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 0, max: 20_000 }),
      (streams, period) => {
        const found = listed(streams.map((one, i) => after(1000 + i * 900, one)));
        const timesOf = (limit: number): Float64Array => {
          const outlines = found.map(outlined(store, limit));
          return Float64Array.from(
            outlines.flatMap((one) => [...one]),
            ({ time }) => time,
          ).sort();
        };
        const all = timesOf(1000);
        t.deepEqual(
          [...all],
          found.flatMap(({ deltas }) => [...deltas].map(({ time }) => time)).sort((a, b) => a - b),
        );
        const coarse = found.reduce((sum, { deltas }) => sum + thin(deltas).length, 0);
        const runs = found.reduce((sum, one) => sum + one.runs.length, 0);
        const least = Math.max(Math.ceil(coarse / 4), runs);
        const few = timesOf(least);
        const tooOld = newestTooOld(few, period) ?? 0;
        t.true(tooOld <= (newestTooOld(all, period) ?? 0));
        // Each of the seven pauses that do not count may be longer by this.
        t.true(tooOld >= (newestTooOld(all, period + 7 * 120) ?? 0) - 120);
        t.is(few.length, coarse);
        t.throws(() => timesOf(least - 1), { code: "STORE_OVERFLOW" });
      },
    ),
  );
});

/** The rule, said in another way. */
function thin(deltas: DeltaTable): number[] {
  const times = Array.from(deltas, ({ time }) => time);
  const kept: number[] = [];
  for (const [i, time] of times.entries()) {
    const [before, next] = [kept.at(-1), times[i + 1]];
    if (before === undefined || next === undefined || time - before >= 60 || next - time >= 60) {
      kept.push(time);
    }
  }
  return kept;
}

test("of a day of one delta a second some 1,440 times are kept", (t) => {
  const day = Array.from({ length: 9 }, (_, i) => after(i * 9_600 + 1, Array(9_599).fill(1)));
  const outlines = listed(day).map(outlined(store, 9_000));
  t.is(
    outlines.reduce((sum, one) => sum + one.length, 0),
    86_400,
  );
  const kept = outlines.reduce((sum, one) => sum + [...one].length, 0);
  t.true(kept < 1_500, String(kept));
});
