import type { DeltaStatus, SiteDeltas } from "../../operations/status/delta-status.js";
import { formatSize } from "../../size-text.js";
import { type ServerStatus, SITES } from "../status.js";
import { html, type Html } from "./html.js";
import { chip, type Level } from "./icons.js";
import { moment, spanText } from "./times.js";
import { SITE_TITLES } from "./titles.js";

/** From this age on, a change waits for longer than a delta takes, s. */
const LATE_SECONDS = 60;

const STATES: Readonly<Record<DeltaStatus["state"], readonly [Level, string]>> = {
  off: ["quiet", "Off"],
  standby: ["quiet", "Standby"],
  starting: ["busy", "Starting"],
  base: ["busy", "Making a base"],
  following: ["good", "Following"],
  paused: ["bad", "Paused, no store takes deltas"],
  denied: ["bad", "Denied by etcd"],
  failing: ["attention", "Failing, trying again"],
};

/** How far the log of etcd is at each store. Nothing where it is off. */
export function renderDeltas({ deltas, now }: ServerStatus): Html {
  if (deltas.state === "off") return html``;
  const time = new Date(now);
  const rows = SITES.flatMap((site) => {
    const status = deltas.sites[site];
    return status === undefined ? [] : [row(SITE_TITLES[site], status)];
  });
  const { etcdRevision, provenRevision, proof, lastBreak } = deltas;
  return html`<section class="card" aria-labelledby="deltas">
<div class="top"><h2 id="deltas">Changes of etcd</h2>${chip(...STATES[deltas.state])}</div>
${rows.length > 0 && html`<ul class="jobs">${rows}</ul>`}
${etcdRevision !== undefined && html`<p class="quiet">etcd is at revision ${etcdRevision}.${provenRevision !== undefined && html` Full backups have proved the log up to ${provenRevision}.`}</p>`}
${proof !== undefined && proof.outcome !== "proven" && html`<p class="failed">${proof.message} (${moment(proof.at, time)})</p>`}
${lastBreak?.lost !== undefined && html`<p class="failed">Revisions ${lastBreak.lost.first} to ${lastBreak.lost.last} are lost: ${lastBreak.reason} (${moment(lastBreak.at, time)})</p>`}
</section>`;
}

function row(title: string, site: SiteDeltas): Html {
  const { oldestSeconds, durableRevision, missingRevisions, waiting, isBehind } = site;
  return html`<li>
<h3>${title}</h3>
<div>${stateOf(site)}</div>
<div class="detail"><p>${durableRevision === undefined ? "No raw snapshot to restore from." : html`Durable up to revision ${durableRevision}${(missingRevisions ?? 0) > 0 && html`, ${missingRevisions} behind etcd`}.`}
${oldestSeconds > 0 && html` The oldest change that is missing is ${spanText(oldestSeconds)} old.`}</p>
${waiting.deltas > 0 && html`<p class="quiet">${waiting.deltas === 1 ? "1 delta waits" : `${waiting.deltas} deltas wait`} (${formatSize(waiting.bytes)}).</p>`}
${isBehind && html`<p class="quiet">Older deltas are copied from the other store.</p>`}</div>
</li>`;
}

function stateOf({ oldestSeconds, durableRevision }: SiteDeltas): Html {
  if (durableRevision === undefined) return chip("attention", "No base");
  return oldestSeconds > LATE_SECONDS ? chip("attention", "Behind") : chip("good", "In step");
}
