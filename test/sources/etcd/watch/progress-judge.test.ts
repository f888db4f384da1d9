import test from "ava";
import { ProgressJudge } from "../../../../src/sources/etcd/watch/progress-judge.js";

const LIMITS = { checkMs: 1, stuckMs: 100, farBehind: 50, catchUpMs: 1000 };

function judged(
  ...looks: readonly [nowMs: number, covered: number, current: number, paused?: 1][]
) {
  const judge = new ProgressJudge(LIMITS);
  return looks.map(([nowMs, covered, current, paused]) =>
    judge.judge({ nowMs, covered, current, paused: paused === 1 }),
  );
}

test("a watch is stuck when it does not move for a while, and etcd is ahead", (t) => {
  t.deepEqual(judged([0, 5, 9], [99, 5, 9], [100, 5, 9]), [undefined, undefined, "stuck"]);
});

test("a watch that has everything, or moves, or waits for its consumer, is not stuck", (t) => {
  t.deepEqual(new Set(judged([0, 9, 9], [500, 9, 9])), new Set([undefined]));
  t.deepEqual(new Set(judged([0, 5, 9], [99, 6, 9], [198, 7, 9])), new Set([undefined]));
  t.deepEqual(new Set(judged([0, 5, 9], [50, 5, 9, 1], [120, 5, 9])), new Set([undefined]));
});

test("a watch that etcd has got far ahead of ends sooner or later", (t) => {
  t.is(judged([0, 5, 90], [100, 5, 95])[1], "far-behind");
  const slow = Array.from({ length: 12 }, (_, i) => [i * 100, 5 + i, 90 + i] as const);
  t.is(
    judged(...slow.map(([a, b, c]): [number, number, number] => [a, b, c])).at(-1),
    "far-behind",
  );
});
