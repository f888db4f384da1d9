import { formatSize } from "../../size-text.js";
import type { Site } from "../status.js";
import { bytesOf, type Chain, type ChainLink } from "./chains.js";
import { html, type Html } from "./html.js";
import { LANE_HEIGHT, mark, summary } from "./lanes.js";
import { isoTime, moment } from "./times.js";

/** Whether a chain is a full backup alone: what retention leaves of older days and weeks. */
export function isLone({ links }: Chain): boolean {
  return links.length === 1 && links[0]?.kind === "full";
}

/** Several full backups without incrementals in one row: lines from each other would say nothing. */
export function loneFulls(chains: readonly Chain[], sites: readonly Site[], now: Date): Html {
  const links = chains.flatMap((chain) => chain.links);
  return html`<ul class="lone">${links.map((link) => item(link, sites, now))}</ul>`;
}

function item(link: ChainLink, sites: readonly Site[], now: Date): Html {
  const marks = sites.map((site, i) => mark(link, site, "10", LANE_HEIGHT * (i + 0.5), now));
  return html`<li><svg class="lanes" width="20" height="${LANE_HEIGHT * sites.length}" role="img" aria-label="${summary([link], sites)}">${marks}</svg>
<span>${moment(isoTime(link.time), now)}<br><span class="quiet">${formatSize(bytesOf(link))}</span></span></li>`;
}
