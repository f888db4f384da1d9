import test from "ava";
import fc from "fast-check";
import { InterruptedError } from "../../src/errors.js";
import { Attempts, type RetryPolicy, retry } from "../../src/flow/retry.js";

const FINAL = new Error("final");

/** A policy whose waits take no time, and the waits. */
function policy(more: Partial<RetryPolicy<Error>> = {}) {
  const slept: number[] = [];
  let now = 0;
  const clock = {
    now: () => now,
    sleep: async (ms: number) => {
      slept.push(ms);
      now += ms;
    },
  };
  const advise = (error: unknown) =>
    error instanceof Error && error !== FINAL ? { error } : undefined;
  const defaults: RetryPolicy<Error> = {
    attempts: 5,
    totalMs: 60_000,
    firstDelayMs: 100,
    maxDelayMs: 1000,
    random: () => 0.5,
    clock,
    advise,
    onRetry: () => {},
  };
  return { slept, policy: { ...defaults, ...more } };
}

test("a call is tried as often as the policy says, and the last error is thrown", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 12 }),
      fc.nat(15),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      async (attempts, failing, random) => {
        const { slept, policy: tries } = policy({ attempts, random: () => random });
        let calls = 0;
        const done = retry(tries, undefined, async (failures) => {
          t.is(failures, calls);
          if (calls++ < failing) throw new Error(`failure ${calls}`);
          return calls;
        });
        if (failing < attempts) t.is(await done, failing + 1);
        else await t.throwsAsync(done, { message: `failure ${attempts}` });
        t.is(calls, Math.min(attempts, failing + 1));
        for (const [i, ms] of slept.entries()) t.true(ms <= Math.min(1000, 100 * 2 ** i));
      },
    ),
  );
});

test("a final failure is thrown at once", async (t) => {
  const { slept, policy: tries } = policy();
  const error = await t.throwsAsync(retry(tries, undefined, () => Promise.reject(FINAL)));
  t.is(error, FINAL);
  t.deepEqual(slept, []);
});

test("what the peer asks to wait is added, and a factor makes waits longer", async (t) => {
  const { slept, policy: tries } = policy({
    attempts: 3,
    advise: (error) => (error instanceof Error ? { error, afterMs: 7000, factor: 4 } : undefined),
  });
  await t.throwsAsync(retry(tries, undefined, () => Promise.reject(new Error("busy"))));
  t.deepEqual(slept, [7000 + 200, 7000 + 400]);
});

test("an abort between two tries ends them", async (t) => {
  const stop = new AbortController();
  const { policy: tries } = policy();
  let calls = 0;
  const call = retry(tries, stop.signal, async () => {
    calls++;
    stop.abort();
    throw new Error("failed");
  });
  await t.throwsAsync(call, { instanceOf: InterruptedError });
  t.is(calls, 1);
});

test("the tries and their waits end with the total time, which progress restarts", async (t) => {
  const { slept, policy: tries } = policy({ attempts: 1000, totalMs: 1000 });
  await t.throwsAsync(retry(tries, undefined, () => Promise.reject(new Error("down"))));
  t.true(slept.reduce((sum, ms) => sum + ms, 0) <= 1000);
  t.true(slept.length > 1);
  const attempts = new Attempts(policy({ attempts: 2 }).policy, undefined);
  await attempts.failed(new Error("first"));
  attempts.progress();
  t.is(attempts.failures, 0);
  await attempts.failed(new Error("first again"));
  await t.throwsAsync(attempts.failed(new Error("second")), { message: "second" });
});
