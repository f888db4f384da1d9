import test from "ava";
import {
  LogProof,
  type ProofResult,
  type StoredDeltas,
} from "../../../src/server/deltas/log-proof.js";
import type { LogPosition } from "../../../src/server/deltas/stream-writer.js";
import { ManualClock } from "../../support/server/manual-clock.js";

const NEVER = new AbortController().signal;

/** All deltas up to a revision are stored. */
function upTo(revision: number): StoredDeltas {
  return { hasSettled: (asked) => asked <= revision, holdsAnyUpTo: () => true };
}

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
  /** A full backup at a revision, of which all is stored. */
  const full = async (revision: number, stored = upTo(revision)): Promise<void> => {
    proof.request(`Full-${revision}`, revision, false, stored);
    proof.look(stored, NEVER);
    await clock.advance(200_000);
  };
  return { proof, clock, asked, ended, full };
}

function proven(older: number, last: number): ProofResult {
  return { outcome: "proven", name: `Full-${older}`, older, last };
}

function at(revision: number, writer = "this one"): LogPosition {
  return { revision, digest: Buffer.from(`${writer}, ${revision}`), clusterId: "1" };
}

test("a full backup is compared once the deltas up to it are stored, and proves the log up to there", async (t) => {
  const { proof, clock, asked, ended } = proofOf([proven(10, 50)]);
  proof.request("Full-1", 50, false, upTo(0));
  for (const stored of [0, 40, 49]) proof.look(upTo(stored), NEVER);
  t.deepEqual(asked, []);
  proof.look(upTo(50), NEVER);
  proof.look(upTo(60), NEVER);
  await clock.advance(1);
  t.deepEqual(asked, ["Full-1"]);
  t.deepEqual(ended, ["proven"]);
  t.is(proof.provenRevision, 50);
  proof.baseMade(at(50));
  t.is(proof.provenRevision, undefined);
  t.is(proof.proof, undefined);
});

test("a full backup after which no delta comes is compared at once", async (t) => {
  const { proof, clock } = proofOf([proven(50, 50)]);
  proof.request("Full-1", 50, true, upTo(0));
  proof.look(upTo(0), NEVER);
  await clock.advance(1);
  t.is(proof.provenRevision, 50);
});

test("full backups that wait at the same time are all compared, in their order", async (t) => {
  const { proof, clock, asked } = proofOf([proven(10, 50), proven(50, 70)]);
  proof.request("Full-1", 50, false, upTo(0));
  proof.request("Full-2", 70, false, upTo(0));
  for (let i = 0; i < 3; i++) {
    proof.look(upTo(70), NEVER);
    await clock.advance(1);
  }
  t.deepEqual(asked, ["Full-1", "Full-2"]);
  t.is(proof.provenRevision, 70);
});

test("a difference is said until its deltas are deleted, whatever later backups prove", async (t) => {
  const { proof, full } = proofOf([
    proven(10, 50),
    { outcome: "differs", older: 50, message: "change 0 of revision 61 is missing" },
    proven(70, 90),
    proven(90, 95),
  ]);
  for (const revision of [50, 70, 90]) await full(revision);
  t.is(proof.proof?.outcome, "differs");
  t.regex(proof.proof?.message ?? "", /Full-70.*revision 61/);
  t.is(proof.provenRevision, 50);
  await full(95, { hasSettled: () => true, holdsAnyUpTo: (revision) => revision > 70 });
  t.is(proof.proof?.outcome, "proven");
  t.is(proof.provenRevision, 95);
});

test("missing deltas between two full backups are said, and the first full backup of all is not", async (t) => {
  const { proof, full, ended } = proofOf([
    { outcome: "nothing-before" },
    { outcome: "no-log", older: 50, message: "deltas are missing between Full-50 and it" },
  ]);
  await full(50);
  t.deepEqual([proof.proof, proof.provenRevision], [undefined, undefined]);
  await full(70);
  t.deepEqual(ended, ["failed"]);
  t.regex(proof.proof?.message ?? "", /Full-70: deltas are missing between Full-50/);
});

test("what could not be compared is tried again after the next proof, and leaves no gap then", async (t) => {
  const down = new Error("the store is down");
  const results = [proven(10, 50), down, down, down, proven(70, 90), proven(50, 70)];
  const { proof, clock, full, asked } = proofOf(results);
  await full(50);
  await full(70);
  t.is(proof.proof?.outcome, "failed");
  await full(90);
  t.is(proof.provenRevision, 50);
  t.is(proof.proof?.outcome, "failed");
  proof.look(upTo(90), NEVER);
  await clock.advance(1);
  t.is(asked.at(-1), "Full-70");
  t.is(proof.provenRevision, 90);
  t.is(proof.proof?.outcome, "proven");
});

test("a raw snapshot that was not compared itself is, before the log counts as proved up to a later one", async (t) => {
  const { proof, clock, full, asked } = proofOf([proven(10, 50), proven(70, 90), proven(50, 70)]);
  await full(50);
  await full(90);
  t.is(proof.provenRevision, 50);
  proof.look(upTo(90), NEVER);
  await clock.advance(1);
  t.is(asked.at(-1), "Full-70");
  t.is(proof.provenRevision, 90);
  const first = proofOf([proven(10, 50), proven(70, 90), { outcome: "nothing-before" }]);
  await first.full(50);
  await first.full(90);
  first.proof.look(upTo(90), NEVER);
  await first.clock.advance(1);
  t.is(first.proof.provenRevision, 90);
});

test("a comparison that spans what is not proved proves it", async (t) => {
  const { proof, full } = proofOf([
    proven(10, 50),
    { outcome: "differs", older: 50, message: "it is damaged" },
    proven(50, 90),
  ]);
  for (const revision of [50, 70, 90]) await full(revision);
  t.is(proof.provenRevision, 90);
  t.is(proof.proof?.outcome, "proven");
});

test("a comparison that fails is tried again, and said to have failed after the third time", async (t) => {
  const down = new Error("the store is down");
  const again = proofOf([down, down, proven(1, 5)]);
  await again.full(5);
  t.deepEqual(again.ended, ["proven"]);
  const never = proofOf([down, down, down]);
  await never.full(5);
  t.deepEqual(never.ended, ["failed"]);
  t.regex(never.proof.proof?.message ?? "", /the store is down/);
});

test("a comparison that the end of the leadership cuts off says nothing, and is for the next term", async (t) => {
  const { proof, clock, ended } = proofOf([new Error("aborted"), proven(1, 5)]);
  const lost = new AbortController();
  proof.request("Full-1", 5, false, upTo(5));
  lost.abort();
  proof.look(upTo(5), lost.signal);
  await clock.advance(200_000);
  t.deepEqual(ended, []);
  t.is(proof.proof, undefined);
  proof.look(upTo(5), NEVER);
  await clock.advance(1);
  t.deepEqual(ended, ["proven"]);
});

test("a comparison that runs when another history begins says nothing of that one", async (t) => {
  for (const outcome of [proven(900, 1000), new Error("it was read too late")]) {
    const clock = new ManualClock();
    const asked: string[] = [];
    const ended: string[] = [];
    const proof = new LogProof({
      clock,
      prove: async (snapshot) => {
        asked.push(snapshot);
        if (snapshot !== "Full-1000") return proven(500, 520);
        await clock.sleep(100_000, NEVER);
        if (outcome instanceof Error) throw outcome;
        return outcome;
      },
      ended: ({ message }) => ended.push(message),
    });
    proof.request("Full-1000", 1000, true, upTo(1000));
    proof.look(upTo(1000), NEVER);
    proof.baseMade(at(500));
    await clock.advance(200_000);
    t.is(proof.provenRevision, undefined);
    t.is(proof.proof, undefined);
    t.deepEqual(ended, []);
    proof.request("Full-520", 520, true, upTo(520));
    proof.look(upTo(520), NEVER);
    await clock.advance(1);
    t.is(proof.provenRevision, 520);
    t.deepEqual(asked, ["Full-1000", "Full-520"]);
  }
});

test("another term keeps what was proved where the log ends as this server has left it", async (t) => {
  const { proof, full } = proofOf([proven(10, 50)]);
  proof.wentOn(at(40));
  await full(50);
  for (const revision of [60, 70, 80]) proof.sealed(at(revision));
  proof.stored(60);
  // The put of what comes after it may have been done.
  for (const end of [60, 80]) {
    const next = at(end);
    proof.wentOn(next);
    t.is(proof.provenRevision, 50);
    for (const revision of [70, 80]) proof.sealed(at(revision));
  }
});

test("where another server has written the log meanwhile, nothing counts as proved, and what differs still does", async (t) => {
  for (const end of [at(80), at(55), at(60, "another one")]) {
    const { proof, clock, asked, full } = proofOf([proven(10, 50)]);
    proof.baseMade(at(10));
    await full(50);
    proof.sealed(at(55));
    proof.sealed(at(60));
    proof.stored(60);
    proof.request("Full-60", 60, true, upTo(60));
    proof.wentOn(end);
    t.is(proof.provenRevision, undefined);
    proof.look(upTo(80), NEVER);
    await clock.advance(1);
    t.deepEqual(asked, ["Full-50"], "one that waited is of the history before");
  }
  const message = "change 0 of revision 61 is missing";
  const { proof, full } = proofOf([proven(10, 50), { outcome: "differs", older: 50, message }]);
  for (const revision of [50, 70]) await full(revision);
  proof.wentOn(at(80));
  t.is(proof.proof?.outcome, "differs");
  t.is(proof.provenRevision, undefined);
});
