import test from "ava";
import { renderFailures } from "../../../src/server/page/failures.js";
import { renderJobs } from "../../../src/server/page/jobs.js";
import type { JobStatus } from "../../../src/server/status.js";
import { healthyStatus } from "../../support/server/sample-status.js";

/** The words of the row of a job. */
function wordsOf(job: Partial<JobStatus>): string {
  const status = healthyStatus();
  const full: JobStatus = { state: "idle", failuresInARow: 0, ...job };
  const [, row = ""] = renderJobs({ ...status, jobs: { ...status.jobs, full } }).text.split("<li>");
  return row
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .replace(/ ([.,:])/g, "$1")
    .trim();
}

test("a job that does not run says when it will", (t) => {
  const nextAt = "2026-11-28T19:00:05Z";
  t.is(wordsOf({ nextAt }), "Full backup Idle Next 28 Nov 19:00, in 1 h 40 min.");
  t.is(wordsOf({}), "Full backup Idle Not scheduled.");
  t.is(wordsOf({ state: "waiting" }), "Full backup Waiting Begins as soon as it can.");
  t.is(wordsOf({ nextAt: "2026-11-28T17:00:00Z" }), "Full backup Idle Next 28 Nov 17:00.");
});

test("a running job says how far it is, with a bar where the end is known", (t) => {
  const running = { state: "running", startedAt: "2026-11-28T17:18:05Z" } as const;
  const copying = { phase: "copying", done: 3 << 20, unit: "bytes" } as const;
  t.is(wordsOf(running), "Full backup Running Begun, for 2 min.");
  t.is(
    wordsOf({ ...running, progress: copying }),
    "Full backup Running copying: 3.00 MiB, for 2 min.",
  );
  t.is(
    wordsOf({ ...running, progress: { ...copying, total: 4 << 20 } }),
    "Full backup Running copying: 3.00 MiB of 4.00 MiB, for 2 min. 75 % 75 %",
  );
  const objects = { phase: "reading", done: 1200, total: 1000, unit: "objects" } as const;
  t.regex(wordsOf({ ...running, progress: objects }), /1,200 of 1,000 objects, .* 100 %$/);
  t.notRegex(wordsOf({ ...running, progress: { ...objects, total: 0 } }), /%/);
});

test("a job that failed says how often, since when and why, beside its last success", (t) => {
  const lastFailure = {
    at: "2026-11-28T17:00:00Z",
    job: "full",
    code: "STORE_FULL",
    message: "no space",
  } as const;
  const lastSuccess = { at: "2026-11-27T02:00:00Z", durationSeconds: 0.4 };
  t.is(
    wordsOf({ state: "retrying", failuresInARow: 3, lastFailure, lastSuccess }),
    "Full backup Retrying Begins as soon as it can. Last success 27 Nov 02:00, took under 1 s. " +
      "Failed 3 times in a row, last 28 Nov 17:00: no space",
  );
  t.notRegex(wordsOf({ failuresInARow: 0, lastFailure }), /no space/, "it succeeded since");
});

test("the last failures are all on the page, the newest of them without a click", (t) => {
  const failures = Array.from({ length: 20 }, (_, i) => ({
    at: "2026-11-28T17:00:00Z",
    job: "sync" as const,
    code: "OTHER",
    message: `failure ${i}.`,
  }));
  const { text } = renderFailures({ ...healthyStatus(), failures });
  const [shown = "", folded = ""] = text.split("<details");
  t.regex(shown, /failure 0\..*failure 5\./s);
  t.notRegex(shown, /failure 6\./);
  t.regex(folded, /14 more.*failure 6\..*failure 19\./s);
});
