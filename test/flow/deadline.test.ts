import { setTimeout as delay } from "node:timers/promises";
import test from "ava";
import { InterruptedError } from "../../src/errors.js";
import { Deadline, TimeoutError, withDeadline } from "../../src/flow/deadline.js";
import { raceAbort } from "../../src/flow/race-abort.js";
import { sleep } from "../../src/flow/sleep.js";

const NEVER = new Promise<never>(() => {});

test("work that ignores its signal is abandoned at the deadline", async (t) => {
  let signal: AbortSignal | undefined;
  const late = withDeadline(10, undefined, (inner) => {
    signal = inner;
    return NEVER;
  });
  const error = await t.throwsAsync(late, { instanceOf: TimeoutError, code: "ETIMEDOUT" });
  t.is(error?.message, "no answer within 0.01 seconds");
  t.true(signal?.aborted);
});

test("work in time is not disturbed, and its own failure passes through", async (t) => {
  t.is(await withDeadline(60_000, undefined, async () => 7), 7);
  const failing = withDeadline(60_000, undefined, () => Promise.reject(new Error("its own")));
  await t.throwsAsync(failing, { message: "its own" });
});

test("the caller's abort is an interruption, not a timeout", async (t) => {
  const stop = new AbortController();
  const call = withDeadline(60_000, stop.signal, () => NEVER);
  stop.abort();
  await t.throwsAsync(call, { instanceOf: InterruptedError });
  await t.throwsAsync(
    withDeadline(60_000, stop.signal, async () => t.fail("started")),
    { instanceOf: InterruptedError },
  );
});

test("progress restarts a deadline, and a pause stops it", async (t) => {
  const deadline = new Deadline(100, undefined);
  for (let i = 0; i < 4; i++) {
    await delay(40);
    deadline.restart();
  }
  t.false(deadline.signal.aborted);
  deadline.pause();
  await delay(150);
  t.false(deadline.signal.aborted);
  deadline.restart();
  await delay(150);
  t.true(deadline.signal.aborted);
  t.true(deadline.explain(new InterruptedError()) instanceof TimeoutError);
  const own = new Error("not because of the deadline");
  t.is(deadline.explain(own), own);
  deadline.end();
});

test("a deadline that has ended neither fires nor listens to the caller", async (t) => {
  const stop = new AbortController();
  const deadline = new Deadline(10, stop.signal);
  deadline.end();
  await delay(30);
  stop.abort();
  t.false(deadline.signal.aborted);
});

test("an abort ends a wait for shared work at once, and the work goes on", async (t) => {
  const stop = new AbortController();
  let done = false;
  const work = delay(30).then(() => {
    done = true;
  });
  const waits = [
    raceAbort(work, stop.signal),
    raceAbort(work, stop.signal),
    sleep(60_000, stop.signal),
  ];
  stop.abort();
  for (const wait of waits) await t.throwsAsync(wait, { instanceOf: InterruptedError });
  t.false(done);
  await raceAbort(work, undefined);
  t.true(done);
  await t.throwsAsync(raceAbort(NEVER, stop.signal), { instanceOf: InterruptedError });
});
