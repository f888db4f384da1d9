import test from "ava";
import { CatchUp } from "../../../../src/sources/etcd/watch/catch-up.js";

test("an answer may be of catch-up until etcd was up to date, and after a stall", (t) => {
  const catchUp = new CatchUp();
  t.true(catchUp.isPossible(0));
  catchUp.answered(false);
  t.true(catchUp.isPossible(1));
  catchUp.answered(true);
  t.false(catchUp.isPossible(2));
  catchUp.held(10);
  catchUp.waited(50, 100);
  t.false(catchUp.isPossible(101));
  catchUp.held(5000);
  t.true(catchUp.isPossible(6000));
  catchUp.waited(1, 6001);
  t.true(catchUp.isPossible(7000));
  catchUp.waited(50, 7001);
  t.true(catchUp.isPossible(7500));
  t.false(catchUp.isPossible(8500));
  catchUp.held(5000);
  catchUp.waited(2000, 20_000);
  t.false(catchUp.isPossible(20_000));
});
