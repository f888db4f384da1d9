import type { Failure, ServerStatus } from "../status.js";
import { html, type Html } from "./html.js";
import { moment } from "./times.js";
import { FAILURE_TITLES, SITE_TITLES } from "./titles.js";

/** Failures that are shown without a click. */
const SHOWN = 6;

/** The last failures in words, newest first. */
export function renderFailures({ failures, now }: ServerStatus): Html {
  const time = new Date(now);
  const items = failures.map((failure) => item(failure, time));
  const older = items.slice(SHOWN);
  const list =
    items.length === 0
      ? html`<p class="quiet">None since the start of the server.</p>`
      : html`<ol class="failures">${items.slice(0, SHOWN)}</ol>
${older.length > 0 && html`<details id="older-failures"><summary>${older.length} more</summary><ol class="failures">${older}</ol></details>`}`;
  return html`<section class="card" aria-labelledby="failures">
<h2 id="failures">Last failures</h2>
${list}
</section>`;
}

function item({ at, job, site, code, message }: Failure, now: Date): Html {
  const what = FAILURE_TITLES[job];
  const where = site === undefined ? "" : `, ${SITE_TITLES[site].toLowerCase()} store`;
  return html`<li><p class="quiet">${moment(at, now)} · ${what}${where} · <code>${code}</code></p>
<p>${message}</p></li>`;
}
