import type { SiteStatus } from "../../operations/status/site-status.js";
import { formatSize } from "../../size-text.js";
import type { ServerStatus, Site, SyncStatus } from "../status.js";
import { SITES } from "../status.js";
import { html, type Html } from "./html.js";
import { chip } from "./icons.js";
import { moment, spanText } from "./times.js";
import { SITE_TITLES } from "./titles.js";

/** Both sites side by side, and how far one is behind the other. */
export function renderSites({ sites, sync, now }: ServerStatus): Html {
  const time = new Date(now);
  const cards = SITES.flatMap((name) => {
    const site = sites[name];
    return site === undefined ? [] : [card(name, site, time)];
  });
  return html`<div class="sites">${cards}</div>
${sync !== undefined && syncStrip(sync, time)}`;
}

function card(name: Site, site: SiteStatus, now: Date): Html {
  return html`<section class="card site" aria-labelledby="site-${name}">
<div class="top"><h2 id="site-${name}">${SITE_TITLES[name]}</h2>${reachability(site)}</div>
<p class="store">${site.store}</p>
${site.checkedAt !== undefined && html`<p class="quiet">Listed ${moment(site.checkedAt, now)}</p>`}
${newest(site, now)}
${site.checkedAt !== undefined && facts(site, now)}
</section>`;
}

function reachability({ reachable, breaker, checkedAt, error }: SiteStatus): Html {
  if (breaker === "open") return chip("bad", "Failing, paused");
  if (breaker === "half-open") return chip("attention", "Failing, trying again");
  if (reachable) return chip("good", "Reachable");
  return checkedAt === undefined && error === undefined
    ? chip("unknown", "Not listed yet")
    : chip("bad", "Not reachable");
}

function newest({ newestRestorable, checkedAt }: SiteStatus, now: Date): Html {
  if (newestRestorable === undefined) {
    const words = checkedAt === undefined ? "not known yet" : "none";
    return html`<p class="age"><span class="label">Newest restorable backup</span> <strong>${words}</strong></p>`;
  }
  const { ageSeconds, snapshot, time } = newestRestorable;
  return html`<p class="age"><span class="label">Newest restorable backup</span>
<strong>${spanText(ageSeconds)}</strong> <span class="label">old, from ${moment(time, now)}</span></p>
<p class="name">${snapshot}</p>`;
}

function facts(site: SiteStatus, now: Date): Html {
  const { complete, unfinished, damaged, held } = site.snapshots;
  return html`<dl class="facts">
${fact("Complete snapshots", html`${complete}`)}
${fact("Stored", html`${formatSize(site.bytes)}`)}
${fact("Unfinished", html`${unfinished}`)}
${fact("Damaged", damaged === 0 ? html`0` : chip("bad", String(damaged)))}
${fact("Held", html`${held}`)}
${fact("Read back", verified(site, now))}
</dl>`;
}

function verified({ verification }: SiteStatus, now: Date): Html {
  if (verification?.lastAt === undefined) return html`never`;
  const { lastAt, coveredPercent, damagedFiles } = verification;
  const share = coveredPercent === undefined ? "" : `${Math.floor(coveredPercent)} %, `;
  const files = damagedFiles === 1 ? "1 damaged file" : `${damagedFiles} damaged files`;
  return html`${share}${moment(lastAt, now)}${damagedFiles > 0 && html` ${chip("bad", files)}`}`;
}

function fact(name: string, value: Html): Html {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
}

function syncStrip(sync: SyncStatus, now: Date): Html {
  const { lag, running, enabled, lastSuccess, nextAt } = sync;
  return html`<section class="card strip" aria-labelledby="sync-lag">
<h2 id="sync-lag">Sync lag</h2>
<p>${syncChip(sync)}</p>
<p>${lagWords(lag)}</p>
<p class="quiet">${lastSuccess === undefined ? "No sync has succeeded yet." : html`Last success ${moment(lastSuccess, now)}.`}
${!running && enabled && nextAt !== undefined && html` Next ${moment(nextAt, now)}.`}</p>
</section>`;
}

function lagWords(lag: SyncStatus["lag"]): Html {
  if (lag === undefined) return html`What the secondary lacks is not known yet.`;
  const { snapshots, deltas = 0 } = lag;
  if (snapshots + deltas === 0) return html`The secondary has every snapshot that it should have.`;
  const missing = [
    ...(snapshots > 0 ? [`${snapshots} ${snapshots === 1 ? "snapshot" : "snapshots"}`] : []),
    ...(deltas > 0 ? [`${deltas} ${deltas === 1 ? "delta" : "deltas"}`] : []),
  ].join(" and ");
  return html`The secondary lacks <strong>${missing}</strong> (${formatSize(lag.bytes)}); the oldest is ${spanText(lag.seconds)} old.`;
}

function syncChip({ enabled, running, lag }: SyncStatus): Html {
  if (running) return chip("busy", "Copying");
  if (!enabled) return chip("quiet", "Off");
  if (lag === undefined) return chip("attention", "Not known");
  return lag.snapshots + (lag.deltas ?? 0) > 0
    ? chip("attention", "Behind")
    : chip("good", "In step");
}
