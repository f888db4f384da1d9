import test from "ava";
import fc from "fast-check";
import { DELETED_TOGETHER, deleteStream } from "../../../src/snapshots/streams/delete-stream.js";
import { readStream } from "../../../src/snapshots/streams/list-streams.js";
import { parseStreamName, type StreamName } from "../../../src/snapshots/streams/stream-name.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { MemoryStore } from "../../support/stores/memory-store.js";
import { RoundTrips } from "../../support/stores/round-trips.js";
import {
  deltasFrom,
  idOf,
  nameOf,
  putBase,
  putDeltas,
} from "../../support/stores/stored-streams.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const { signal } = new AbortController();

/** A stream with a base, and as many deltas of one revision each. */
async function newStream(
  deltas: number,
  locks: SnapStore["capabilities"]["locks"] = "never",
): Promise<{ inner: MemoryStore; store: SwitchableStore; name: StreamName }> {
  const inner = new MemoryStore();
  const text = nameOf(5, 1000);
  await putBase(inner, text, idOf(1));
  await putDeltas(inner, text, deltasFrom(5, Array(deltas).fill(1)));
  const store = new SwitchableStore(inner);
  store.capabilities = { ...inner.capabilities, locks };
  const name = parseStreamName(text);
  if (name === undefined) throw new Error(text);
  return { inner, store, name };
}

test("a stream of 10,000 deltas is deleted in some hundred round trips", async (t) => {
  for (const [locks, most] of [
    ["head", 800],
    ["never", 480],
  ] as const) {
    const { inner, store, name } = await newStream(10_000, locks);
    const trips = new RoundTrips();
    store.before = trips.wait;
    // The look at holds and pins before each batch.
    const check = trips.wait;
    t.deepEqual((await deleteStream(store, name, { dryRun: false, signal, check })).files, 10_004);
    t.is(inner.objects.size, 0);
    t.true(trips.count <= most, `${locks}: ${trips.count}`);
    t.is(store.keysOf("delete").length, 10_004);
    t.true(store.keysOf("head").length === (locks === "head" ? 10_006 : 2), locks);
  }
});

test("a deletion keeps at most 32 calls in flight", async (t) => {
  const { store, name } = await newStream(300, "head");
  const trips = new RoundTrips();
  let inFlight = 0;
  let most = 0;
  store.before = async () => {
    most = Math.max(most, ++inFlight);
    await trips.wait();
    inFlight--;
  };
  await deleteStream(store, name, { dryRun: false, signal });
  t.is(most, 32);
});

/** What is there of the stream. */
async function stateOf(inner: MemoryStore, name: StreamName) {
  const stream = await readStream(inner, name, signal);
  const numbers = [...(stream?.deltas ?? [])].map(({ number }) => number);
  const gap = numbers.findIndex((number, i) => number !== i);
  const whole = gap < 0 ? numbers.length : gap;
  return { stream, whole, after: numbers.slice(whole) };
}

test("a deletion that is killed leaves the log up to an earlier revision, a gap if anything follows, and the base", async (t) => {
  const killed = fc.record({
    deltas: fc.integer({ min: 1, max: 400 }),
    /** The deletion after which nothing reaches the store any more. */
    at: fc.nat(410),
    /** How many turns each call takes to the store. */
    turns: fc.array(fc.nat(6), { minLength: 1, maxLength: 40 }),
  });
  await fc.assert(
    fc.asyncProperty(killed, async ({ deltas, at, turns }) => {
      const { inner, store, name } = await newStream(deltas);
      let begun = 0;
      let done = 0;
      store.before = async (call) => {
        if (call !== "delete") return;
        const wait = turns[begun++ % turns.length] ?? 0;
        for (let turn = 0; turn < wait; turn++) await new Promise(setImmediate);
        if (done === at) throw new StoreError("STORE_FAILED", "killed", { store: "test" });
        done++;
      };
      const run = deleteStream(store, name, { dryRun: false, signal });
      const isKilled = await run.then(
        () => false,
        () => true,
      );
      const { stream, whole, after } = await stateOf(inner, name);
      t.is(isKilled, at < deltas + 4);
      if (whole + after.length > 0) t.is(stream?.base?.state, "complete");
      t.is(stream?.problem, undefined);
      // What is left over after a gap is of one batch.
      const end = after.at(-1) ?? 0;
      t.true(end - whole < DELETED_TOGETHER);
      if (stream !== undefined) t.is(stream.gaps.length > 0, after.length > 0);
      store.before = () => {};
      await deleteStream(store, name, { dryRun: false, signal });
      t.is(inner.objects.size, 0);
    }),
    { numRuns: 60 },
  );
});

test("a deletion that fails once, or is interrupted, leaves no gap", async (t) => {
  for (const how of ["fails", "interrupted"] as const) {
    const { inner, store, name } = await newStream(300);
    const trips = new RoundTrips();
    const stopped = new AbortController();
    let begun = 0;
    store.before = async (call) => {
      const isStop = call === "delete" && ++begun === 10;
      if (isStop && how === "interrupted") stopped.abort();
      await trips.wait();
      if (isStop && how === "fails") {
        throw new StoreError("STORE_FAILED", "once", { store: "test" });
      }
    };
    await t.throwsAsync(deleteStream(store, name, { dryRun: false, signal: stopped.signal }), {
      code: how === "fails" ? "STORE_FAILED" : "INTERRUPTED",
    });
    const { stream, whole, after } = await stateOf(inner, name);
    t.deepEqual([stream?.base?.state, whole, after], ["complete", how === "fails" ? 268 : 290, []]);
  }
});

test("between two batches a stream has no gap, and a check that fails leaves what is there", async (t) => {
  const { inner, store, name } = await newStream(500);
  const trips = new RoundTrips();
  store.before = trips.wait;
  const seen: number[] = [];
  const check = async (): Promise<void> => {
    const { stream, whole, after } = await stateOf(inner, name);
    t.deepEqual([stream?.base?.state, after], ["complete", []]);
    seen.push(whole);
    if (seen.length === 4) throw new StoreError("STORE_FAILED", "held", { store: "test" });
  };
  await t.throwsAsync(deleteStream(store, name, { dryRun: false, signal, check }), {
    message: /held/,
  });
  t.deepEqual(seen, [500, 372, 244, 116]);
  t.is((await stateOf(inner, name)).whole, 116);
});

test("one locked delta keeps the whole stream, whether a listing or a look at the object shows the lock", async (t) => {
  for (const locks of ["head", "listing"] as const) {
    const { inner, store, name } = await newStream(300, locks);
    const key = [...inner.objects.keys()].find((one) => one.includes("DELTA00000007"));
    const locked = inner.objects.get(key ?? "");
    if (locked === undefined) throw new Error("no delta 7");
    const lockedUntil = new Date(Date.now() + 60_000);
    locked.lockedUntil = lockedUntil;
    if (locks === "listing") {
      const list = store.list.bind(store);
      store.list = async (...args) => {
        const page = await list(...args);
        const objects = page.objects.map((one) =>
          one.key === key ? { ...one, lockedUntil } : one,
        );
        return { ...page, objects };
      };
    }
    await t.throwsAsync(deleteStream(store, name, { dryRun: false, signal }), {
      code: "STORE_IMMUTABLE",
    });
    t.deepEqual(store.keysOf("delete"), []);
    t.is(inner.objects.size, 304);
  }
});
