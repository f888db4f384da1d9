import test from "ava";
import { LogProof, type ProofResult } from "../../../src/server/deltas/log-proof.js";
import { ManualClock } from "../../support/server/manual-clock.js";

const NEVER = new AbortController().signal;

function proofOf(results: readonly (ProofResult | Error)[]) {
  const clock = new ManualClock();
  const asked: string[] = [];
  const ended: string[] = [];
  const left = [...results];
  const proof = new LogProof({
    clock,
    prove: async (snapshot) => {
      asked.push(snapshot);
      const result = left.shift() ?? { outcome: "nothing-before" };
      if (result instanceof Error) throw result;
      return result;
    },
    ended: ({ outcome }) => ended.push(outcome),
  });
  return { proof, clock, asked, ended };
}

test("a full backup is compared once its revision is durable, and proves the log up to there", async (t) => {
  const { proof, clock, asked, ended } = proofOf([{ outcome: "proven", last: 50 }]);
  proof.request("Full-1", 50);
  for (const durable of [undefined, 40, 49]) proof.look(durable, NEVER);
  t.deepEqual(asked, []);
  proof.look(50, NEVER);
  proof.look(60, NEVER);
  await clock.advance(1);
  t.deepEqual(asked, ["Full-1"]);
  t.deepEqual(ended, ["proven"]);
  t.is(proof.provenRevision, 50);
  proof.forget();
  t.is(proof.provenRevision, undefined);
});

test("a difference is said, and what was proved before stays", async (t) => {
  const { proof, clock } = proofOf([
    { outcome: "proven", last: 50 },
    { outcome: "differs", message: "change 0 of revision 61 is missing" },
  ]);
  for (const [name, revision] of [
    ["Full-1", 50],
    ["Full-2", 70],
  ] as const) {
    proof.request(name, revision);
    proof.look(revision, NEVER);
    await clock.advance(1);
  }
  t.is(proof.proof?.outcome, "differs");
  t.regex(proof.proof?.message ?? "", /Full-2.*revision 61/);
  t.is(proof.provenRevision, 50);
});

test("a comparison that fails is tried again, and said to have failed after the third time", async (t) => {
  const down = new Error("the store is down");
  const again = proofOf([down, down, { outcome: "proven", last: 5 }]);
  again.proof.request("Full-1", 5);
  again.proof.look(5, NEVER);
  await again.clock.advance(200_000);
  t.deepEqual(again.ended, ["proven"]);
  const never = proofOf([down, down, down]);
  never.proof.request("Full-1", 5);
  never.proof.look(5, NEVER);
  await never.clock.advance(200_000);
  t.deepEqual(never.ended, ["failed"]);
  t.regex(never.proof.proof?.message ?? "", /the store is down/);
});

test("a comparison that the end of the leadership cuts off says nothing", async (t) => {
  const { proof, clock, ended } = proofOf([new Error("aborted")]);
  const lost = new AbortController();
  proof.request("Full-1", 5);
  lost.abort();
  proof.look(5, lost.signal);
  await clock.advance(200_000);
  t.deepEqual(ended, []);
  t.is(proof.proof, undefined);
});
