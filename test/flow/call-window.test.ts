import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import fc from "fast-check";
import { CallWindow } from "../../src/flow/call-window.js";

test("no more calls than the limit are in flight, however many callers add them", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 30 }),
      async (limit, delays) => {
        const window = new CallWindow(limit);
        const started: number[] = [];
        let [now, most] = [0, 0];
        await Promise.all(
          delays.map((ms, i) =>
            window.add(async () => {
              started.push(i);
              most = Math.max(most, ++now);
              await sleep(ms);
              now--;
            }),
          ),
        );
        await window.drain();
        t.true(most <= limit);
        t.is(now, 0);
        t.deepEqual(
          started.toSorted((a, b) => a - b),
          [...delays.keys()],
        );
        // One caller's calls start in its order.
        if (limit === 1) t.deepEqual(started, [...delays.keys()]);
      },
    ),
    { numRuns: 30 },
  );
});

test("the first failure wins: nothing starts after it, and calls in flight end before drain throws", async (t) => {
  const window = new CallWindow(3);
  const ended: string[] = [];
  const call = (name: string, ms: number, fails: boolean) => async () => {
    await sleep(ms);
    ended.push(name);
    if (fails) throw new Error(name);
  };
  await window.add(call("slow failure", 40, true));
  await window.add(call("fast failure", 1, true));
  await window.add(call("success", 60, false));
  await t.throwsAsync(window.add(call("never", 0, false)), { message: "fast failure" });
  await t.throwsAsync(window.room(), { message: "fast failure" });
  await t.throwsAsync(window.drain(), { message: "fast failure" });
  t.deepEqual(ended, ["fast failure", "slow failure", "success"]);
});

test("a failure from outside wakes every waiting caller", async (t) => {
  const window = new CallWindow(1);
  let end = () => {};
  window.start(() => new Promise((resolve) => (end = resolve)));
  const waiting = [window.room(), window.add(async () => t.fail()), window.room()];
  window.fail(new Error("stopped"));
  for (const one of waiting) await t.throwsAsync(one, { message: "stopped" });
  end();
  await window.settled();
});

test("a window may be limited by other things than calls, and always takes one", async (t) => {
  let bytes = 0;
  const window = new CallWindow(() => bytes >= 10);
  const send = (size: number) => {
    bytes += size;
    window.start(async () => {
      await sleep(1);
      bytes -= size;
    });
  };
  await window.room();
  send(100);
  await window.room();
  t.is(bytes, 0);
  bytes = 10;
  // Nothing is in flight that could make room.
  await window.room();
  t.pass();
});
