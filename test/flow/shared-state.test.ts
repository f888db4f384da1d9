import test from "ava";
import fc from "fast-check";
import { InterruptedError } from "../../src/errors.js";
import { Budget } from "../../src/flow/budget.js";
import { byBytes } from "../../src/flow/by-bytes.js";
import { Channel } from "../../src/flow/channel.js";
import { RefCounted } from "../../src/flow/ref-counted.js";
import { Waiters } from "../../src/flow/waiters.js";

test("waking wakes all that wait, once", async (t) => {
  const waiters = new Waiters();
  let woken = 0;
  const wait = async () => {
    await waiters.wait();
    woken++;
  };
  const both = [wait(), wait()];
  waiters.wakeAll();
  const late = wait();
  await Promise.all(both);
  t.is(woken, 2);
  waiters.wakeAll();
  await late;
  t.is(woken, 3);
});

test("memory is recycled by the last of its holders, once", (t) => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 50 }), (steps) => {
      let recycled = 0;
      const memory = new RefCounted(() => recycled++);
      let holders = 1;
      for (const retains of steps) {
        if (holders === 0) break;
        if (retains) memory.retain();
        else memory.release();
        holders += retains ? 1 : -1;
        t.is(recycled, holders === 0 ? 1 : 0);
      }
    }),
  );
});

test("a budget is never exceeded but by one larger than all of it, and serves in order", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 30 }),
      async (amounts) => {
        const budget = new Budget(10);
        const served: number[] = [];
        let [used, holders] = [0, 0];
        await Promise.all(
          amounts.map(async (amount, i) => {
            await budget.take(amount);
            served.push(i);
            used += amount;
            holders++;
            t.true(used <= 10 || holders === 1);
            await null;
            used -= amount;
            holders--;
            budget.giveBack(amount);
          }),
        );
        t.deepEqual(served, [...amounts.keys()]);
      },
    ),
  );
});

test("an aborted caller takes nothing of a budget, and lets those behind it pass", async (t) => {
  const budget = new Budget(2);
  const { signal, abort } = abortable();
  await budget.take(1);
  const large = budget.take(2, signal);
  const behind = budget.take(1);
  abort();
  await t.throwsAsync(large, { instanceOf: InterruptedError });
  await behind;
  await t.throwsAsync(budget.take(1, signal), { instanceOf: InterruptedError });
  budget.giveBack(1);
  budget.giveBack(1);
  await budget.take(2);
  t.pass();
});

test("a grant that comes before an abort is kept", async (t) => {
  const budget = new Budget(1);
  const { signal, abort } = abortable();
  await budget.take(1);
  const granted = budget.take(1, signal);
  budget.giveBack(1);
  abort();
  await t.notThrowsAsync(granted);
});

test("a channel passes items on in order; a failure ends both sides", async (t) => {
  const channel = new Channel<number>();
  const produce = async () => {
    for (let i = 0; i < 5; i++) await channel.send(i);
    channel.end();
  };
  const taken: number[] = [];
  const consume = async () => {
    for await (const item of channel) taken.push(item);
  };
  await Promise.all([produce(), consume()]);
  t.deepEqual(taken, [0, 1, 2, 3, 4]);
  const failing = new Channel<number>();
  await failing.send(0);
  const blocked = failing.send(1);
  failing.fail(new Error("the consumer failed"));
  await t.throwsAsync(blocked, { message: "the consumer failed" });
  await t.throwsAsync(failing[Symbol.asyncIterator]().next(), { message: "the consumer failed" });
});

test("runs of items keep all of them in order, within the limit unless one alone is larger", (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), fc.nat(30), (sizes, limit) => {
      const runs = [...byBytes(sizes, limit, (size) => size)];
      t.deepEqual(runs.flat(), sizes);
      for (const run of runs) {
        t.true(run.length > 0);
        t.true(run.length === 1 || run.reduce((sum, size) => sum + size) <= limit);
      }
    }),
  );
});

function abortable() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
