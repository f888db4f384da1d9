import test from "ava";
import { BackupToolError, InterruptedError } from "../../../src/errors.js";
import { Job } from "../../../src/server/jobs/job.js";

const fail = async (): Promise<never> => {
  throw new BackupToolError("STORE_FAILED", "no answer");
};

test("failures count in a row until a run succeeds", async (t) => {
  const job = new Job("full", () => {});
  for (const failures of [1, 2]) {
    await t.throwsAsync(job.run(fail));
    t.is(job.failuresInARow, failures);
  }
  t.is(job.status().state, "retrying");
  await job.run(async () => ({}));
  t.is(job.failuresInARow, 0);
});

test("an interrupted run is no failure", async (t) => {
  const job = new Job("full", () => {});
  await t.throwsAsync(
    job.run(async () => {
      throw new InterruptedError();
    }),
  );
  t.is(job.failuresInARow, 0);
  t.is(job.lastFailure, undefined);
});

test("a new term begins without the failures of the term before, and still tells the last one", async (t) => {
  const job = new Job("full", () => {});
  await t.throwsAsync(job.run(fail));
  job.endTerm();
  t.is(job.failuresInARow, 0);
  t.like(job.status(), { state: "idle", lastFailure: { code: "STORE_FAILED" } });
});
