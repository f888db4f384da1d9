import { formatSize } from "../../size-text.js";
import { parseSnapshotName } from "../../snapshots/name.js";
import { type ServerStatus, type Site, SITES } from "../status.js";
import { bytesOf, type Chain, type ChainLink, chainsOf } from "./chains.js";
import { html, type Html } from "./html.js";
import { axis, lanes, type Scale, scaleOf } from "./lanes.js";
import { stateText } from "./link-state.js";
import { isLone, loneFulls } from "./lone-fulls.js";
import { legend, MARKS } from "./marks.js";
import { isoTime, moment, momentText } from "./times.js";
import { SITE_TITLES } from "./titles.js";

/** Rows that are shown without a click. */
const SHOWN = 10;
/** Rows of the table. */
const ROWS = 400;

/** The snapshots of both stores: a row for each chain, and the same as a table. */
export function renderTimeline(status: ServerStatus): Html {
  const now = new Date(status.now);
  const chains = chainsOf(status);
  const sites = SITES.filter((site) => status.sites[site] !== undefined);
  const scale = scaleOf(chains);
  const rows = groupsOf(chains).flatMap((group) =>
    group.length === 1
      ? group.map((chain) => row(chain, sites, scale, now))
      : [loneRow(group, sites, now)],
  );
  const older = rows.slice(SHOWN);
  return html`<section class="card" aria-labelledby="timeline">
<div class="top"><h2 id="timeline">Snapshots</h2>${rows.length > 0 && legend()}</div>
${rows.length === 0 ? html`<p class="quiet">None are known.</p>` : html`${MARKS}${axis(scale)}`}
<ul class="chains">${rows.slice(0, SHOWN)}</ul>
${older.length > 0 && html`<details id="older-chains"><summary>${older.length} older</summary><ul class="chains">${older}</ul></details>`}
${rows.length > 0 && table(chains, sites, now)}
</section>`;
}

/** Neighbours that are full backups alone are one group, every other chain is one by itself. */
function groupsOf(chains: readonly Chain[]): Chain[][] {
  const groups: Chain[][] = [];
  for (const chain of chains) {
    const last = groups.at(-1);
    if (isLone(chain) && last?.every(isLone)) last.push(chain);
    else groups.push([chain]);
  }
  return groups;
}

function loneRow(chains: readonly Chain[], sites: readonly Site[], now: Date): Html {
  const links = chains.flatMap((chain) => chain.links);
  const bytes = links.reduce((sum, link) => sum + bytesOf(link), 0);
  return html`<li class="chain">
<div class="about"><p class="begin">${links.length} full backups</p>
<p class="quiet">${[`without incrementals, ${formatSize(bytes)}`, ...absences(links, sites)].join("; ")}</p></div>
${names(sites)}
${loneFulls(chains, sites, now)}
</li>`;
}

function names(sites: readonly Site[]): Html {
  return html`<div class="names" aria-hidden="true">${sites.map((site) => html`<span>${SITE_TITLES[site]}</span>`)}</div>`;
}

function absences(links: readonly ChainLink[], sites: readonly Site[]): string[] {
  return sites.flatMap((site) => {
    const missing = links.filter(({ at }) => at[site] === undefined).length;
    return missing === 0 ? [] : [`${missing} not in the ${SITE_TITLES[site].toLowerCase()}`];
  });
}

function row(chain: Chain, sites: readonly Site[], scale: Scale, now: Date): Html {
  const { links } = chain;
  const incrementals = links.filter(({ kind }) => kind === "incremental").length;
  const bytes = links.reduce((sum, link) => sum + bytesOf(link), 0);
  const count = incrementals === 1 ? "1 incremental" : `${incrementals} incrementals`;
  const size = incrementals === 0 ? formatSize(bytes) : `${count}, ${formatSize(bytes)}`;
  return html`<li class="chain">
<div class="about"><p class="begin">${title(chain, now)}</p>
<p class="quiet">${[size, ...absences(links, sites)].join("; ")}</p></div>
${names(sites)}
${lanes(chain, sites, scale, now)}
</li>`;
}

function title({ root, links: [first] }: Chain, now: Date): Html {
  if (root === undefined) return html`Base missing, from ${moment(isoTime(first?.time ?? 0), now)}`;
  if (first?.name === root) return html`Full ${moment(isoTime(first.time), now)}`;
  const time = parseSnapshotName(root)?.time;
  return time === undefined
    ? html`Based on ${root}`
    : html`Full ${moment(isoTime(time * 1000), now)} (older part not shown)`;
}

function table(chains: readonly Chain[], sites: readonly Site[], now: Date): Html {
  const links = chains.flatMap((chain) => chain.links).sort((a, b) => b.time - a.time);
  const heads = sites.map((site) => html`<th scope="col">${SITE_TITLES[site]}</th>`);
  return html`<details id="snapshot-table"><summary>As a table</summary>
<div class="scroll" role="region" aria-label="Table of snapshots" tabindex="0"><table>
<thead><tr><th scope="col">Snapshot</th><th scope="col">Begun</th><th scope="col">Size</th>${heads}<th scope="col">Based on</th></tr></thead>
<tbody>${links.slice(0, ROWS).map((link) => tableRow(link, sites, now))}</tbody>
</table></div></details>`;
}

function tableRow(link: ChainLink, sites: readonly Site[], now: Date): Html {
  const { name, kind, time, base } = link;
  return html`<tr><th scope="row">${name}</th><td>${momentText(isoTime(time), now)}</td><td>${formatSize(bytesOf(link))}</td>${sites.map((site) => html`<td>${stateText(link, site)}</td>`)}<td>${kind === "full" ? "" : (base ?? "missing")}</td></tr>
`;
}
