import test from "ava";
import { BackupToolError } from "../../../src/errors.js";
import { checkNewest } from "../../../src/operations/history/check-newest.js";
import type { HistoryBase } from "../../../src/operations/history/plan/plan-history.js";

function base(revision: number, takenMs: number): HistoryBase {
  return { name: `base ${revision} ${takenMs}`, revision, begunMs: takenMs - 10, takenMs };
}

function codeOf(
  plan: { base: HistoryBase; revision: number },
  bases: HistoryBase[],
  seenMs?: number,
) {
  try {
    checkNewest({ ...plan, log: [] }, bases, seenMs);
    return "newest";
  } catch (error) {
    if (!(error instanceof BackupToolError)) throw error;
    return error.code;
  }
}

const [old, newest] = [base(10, 1000), base(50, 5000)] as const;

test("a moment before a later raw snapshot is not the newest, before and after the log was read", (t) => {
  t.is(codeOf({ base: old, revision: 30 }, [old, newest]), "NOT_NEWEST");
  t.is(codeOf({ base: old, revision: 30 }, [old, newest], 3000), "NOT_NEWEST");
  // One that goes back from the only raw snapshot.
  t.is(codeOf({ base: newest, revision: 30 }, [newest]), "NOT_NEWEST");
});

test("a moment after the newest raw snapshot may be merged, also over another where that one is damaged", (t) => {
  const plans = [
    { base: newest, revision: 60 },
    { base: old, revision: 60 },
  ];
  for (const plan of plans) {
    t.is(codeOf(plan, [old, newest, { ...newest }]), "newest");
    t.is(codeOf(plan, [old, newest], 6000), "newest");
  }
  // Taken while nothing changed.
  t.is(codeOf({ base: old, revision: 50 }, [old, newest], 4000), "newest");
});

test("what etcd lost by a restore to the past is not the newest, but what was made since then is", (t) => {
  const restored = base(20, 9000);
  const bases = [old, newest, restored];
  t.is(codeOf({ base: old, revision: 40 }, bases, 4000), "NOT_NEWEST");
  t.is(codeOf({ base: newest, revision: 60 }, bases, 6000), "NOT_NEWEST");
  t.is(codeOf({ base: restored, revision: 30 }, bases), "newest");
  t.is(codeOf({ base: restored, revision: 30 }, bases, 9500), "newest");
});
