import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { inParallel } from "../../src/flow/in-parallel.js";

test("of several failures the one of the first item is thrown, whichever came first", async (t) => {
  const begun: number[] = [];
  const error = await t.throwsAsync(
    inParallel([0, 1, 2, 3, 4, 5, 6], 3, async (item) => {
      begun.push(item);
      if (item === 0) return;
      await sleep(item === 1 ? 50 : 1);
      throw new Error(`item ${item}`);
    }),
  );
  t.is(error?.message, "item 1");
  // The others were not begun any more.
  t.deepEqual(begun, [0, 1, 2, 3]);
});

test("a failure of what the items come from is thrown when no item before it failed", async (t) => {
  async function* items() {
    yield 0;
    yield 1;
    throw new Error("no more");
  }
  const work = (failing: number) =>
    inParallel(items(), 3, async (item) => {
      await sleep(20);
      if (item === failing) throw new Error(`item ${item}`);
    });
  await t.throwsAsync(work(1), { message: "item 1" });
  await t.throwsAsync(work(2), { message: "no more" });
});

test("no more than the limit are under way", async (t) => {
  let [now, most] = [0, 0];
  await inParallel(Array.from({ length: 50 }).keys(), 8, async () => {
    most = Math.max(most, ++now);
    await sleep(1);
    now--;
  });
  t.is(most, 8);
});
