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

test("the first failure wins: nothing starts after it, and drain waits for calls in flight", async (t) => {
  const window = new CallWindow(3);
  const ended: string[] = [];
  const ends = new Map<string, () => void>();
  const call = (name: string, fails: boolean) => async () => {
    await new Promise<void>((resolve) => ends.set(name, resolve));
    ended.push(name);
    if (fails) throw new Error(name);
  };
  for (const name of ["late failure", "first failure", "success"]) {
    await window.add(call(name, name !== "success"));
  }
  ends.get("first failure")?.();
  await t.throwsAsync(window.add(call("never", false)), { message: "first failure" });
  await t.throwsAsync(window.room(), { message: "first failure" });
  const drained = t.throwsAsync(window.drain(), { message: "first failure" });
  ends.get("late failure")?.();
  ends.get("success")?.();
  await drained;
  t.deepEqual(ended, ["first failure", "late failure", "success"]);
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
