import test from "ava";
import { Moment } from "../../src/flow/moment.js";

test("the clock that has moved most counts: one may stop while the machine is suspended, or be set back", (t) => {
  const times = [1000, 50, 7_000_000];
  const moment = Moment.now(times.map((_, i) => () => times[i] ?? 0));
  t.is(moment.elapsedMs(), 0);
  times[0] = 1010;
  t.is(moment.elapsedMs(), 10);
  times[1] = 5050;
  t.is(moment.elapsedMs(), 5000);
  times[2] = 6_000_000;
  t.is(moment.elapsedMs(), 5000);
  times[2] = 7_060_000;
  t.is(moment.elapsedMs(), 60_000);
});

test("the clocks of this machine move", async (t) => {
  const moment = Moment.now();
  while (moment.elapsedMs() < 20) await new Promise((resolve) => setTimeout(resolve, 5));
  t.true(moment.elapsedMs() < 60_000);
});
