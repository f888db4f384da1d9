import { formatSize } from "../../size-text.js";
import {
  JOB_NAMES,
  type JobName,
  type JobProgress,
  type JobStatus,
  type JobSuccess,
  type ServerStatus,
} from "../status.js";
import { html, type Html } from "./html.js";
import { chip } from "./icons.js";
import { moment, msUntil, spanText } from "./times.js";
import { JOB_TITLES } from "./titles.js";

/** Each job in a row: what it does now, when it is next, how it went last. */
export function renderJobs({ jobs, now }: ServerStatus): Html {
  const time = new Date(now);
  return html`<section class="card" aria-labelledby="jobs">
<h2 id="jobs">Jobs</h2>
<ul class="jobs">${JOB_NAMES.map((name) => row(name, jobs[name], time))}</ul>
</section>`;
}

function row(name: JobName, job: JobStatus, now: Date): Html {
  return html`<li>
<h3>${JOB_TITLES[name]}</h3>
<div>${stateChip(job)}</div>
<div class="detail">${job.state === "running" ? running(name, job, now) : html`<p>${next(job, now)}</p>`}
${job.lastSuccess !== undefined && html`<p class="quiet">${success(job.lastSuccess, now)}</p>`}
${job.failuresInARow > 0 && failure(job, now)}</div>
</li>`;
}

function stateChip({ state, failuresInARow }: JobStatus): Html {
  switch (state) {
    case "running":
      return chip("busy", "Running");
    case "waiting":
      return chip("quiet", "Waiting");
    case "retrying":
      return chip("attention", "Retrying");
    case "idle":
      return failuresInARow > 0 ? chip("attention", "Failed") : chip("quiet", "Idle");
  }
}

function running(name: JobName, { progress, startedAt }: JobStatus, now: Date): Html {
  const since = startedAt === undefined ? undefined : msUntil(startedAt, now);
  const time = since === undefined ? "" : `, for ${spanText(-since / 1000)}`;
  if (progress === undefined) return html`<p>Begun${time}.</p>`;
  return html`<p>${progressText(progress)}${time}.</p>
${bar(name, progress)}`;
}

function progressText({ phase, done, total, unit, bytes }: JobProgress): string {
  const count = (value: number): string =>
    unit === "bytes" ? formatSize(value) : value.toLocaleString("en");
  const of = total === undefined ? "" : ` of ${count(total)}`;
  const what = unit === "bytes" ? "" : ` ${unit}`;
  const size = bytes === undefined || unit === "bytes" ? "" : `, ${formatSize(bytes)}`;
  return `${phase}: ${count(done)}${of}${what}${size}`;
}

function bar(name: JobName, { done, total }: JobProgress): Html | false {
  if (total === undefined || total <= 0) return false;
  const percent = Math.floor((Math.min(done, total) / total) * 100);
  return html`<div class="bar"><progress max="100" value="${percent}" aria-label="${JOB_TITLES[name]}: progress">${percent} %</progress><span>${percent} %</span></div>`;
}

function next({ nextAt, state }: JobStatus, now: Date): Html {
  if (nextAt === undefined) {
    return state === "idle" ? html`Not scheduled.` : html`Begins as soon as it can.`;
  }
  const ms = msUntil(nextAt, now);
  const until = ms === undefined || ms < 0 ? "" : `, in ${spanText(ms / 1000)}`;
  return html`${state === "retrying" ? "Next attempt" : "Next"} ${moment(nextAt, now)}${until}.`;
}

function success(last: JobSuccess, now: Date): Html {
  const { at, durationSeconds, bytes, objects, records } = last;
  const counts = [
    bytes === undefined ? "" : formatSize(bytes),
    objects === undefined ? "" : `${objects.toLocaleString("en")} objects`,
    records === undefined ? "" : `${records.toLocaleString("en")} records`,
  ].filter((text) => text !== "");
  const what = counts.length === 0 ? "" : `: ${counts.join(", ")}`;
  return html`Last success ${moment(at, now)}, took ${durationSeconds < 1 ? "under 1 s" : spanText(durationSeconds)}${what}.`;
}

function failure({ lastFailure, failuresInARow: times }: JobStatus, now: Date): Html {
  const often = times === 1 ? "Failed" : `Failed ${times} times in a row`;
  if (lastFailure === undefined) return html`<p class="failed">${often}.</p>`;
  const { at, message } = lastFailure;
  return html`<p class="failed">${often}, last ${moment(at, now)}: ${message}</p>`;
}
