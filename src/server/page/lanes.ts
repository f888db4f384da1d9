import { formatSize } from "../../size-text.js";
import type { Site } from "../status.js";
import type { Chain, ChainLink } from "./chains.js";
import { html, type Html } from "./html.js";
import { isoTime, momentText, spanText } from "./times.js";
import { stateOf, stateText, stateWords } from "./link-state.js";
import { SITE_TITLES } from "./titles.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Distances of lines that people count in. */
const STEPS = [
  ...[1, 5, 15, 30].map((n) => n * MINUTE),
  ...[1, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14, 30, 90, 365].map((n) => n * DAY),
];
const MOST_LINES = 8;

/** Pixels. */
export const LANE_HEIGHT = 20;

/** The time from the beginning of a chain, the same for all chains. */
export interface Scale {
  /** Milliseconds from the left end to the right. */
  readonly span: number;
  /** Milliseconds between two lines. */
  readonly step: number;
}

export function scaleOf(chains: readonly Chain[]): Scale {
  const longest = Math.max(MINUTE, ...chains.map(({ links }) => lengthOf(links)));
  const step = STEPS.find((one) => longest / one <= MOST_LINES) ?? longest / MOST_LINES;
  return { span: longest, step };
}

function lengthOf(links: readonly ChainLink[]): number {
  return (links.at(-1)?.time ?? 0) - (links[0]?.time ?? 0);
}

function percent(ms: number, { span }: Scale): string {
  return `${Number(((ms / span) * 100).toFixed(2))}%`;
}

function linesOf({ span, step }: Scale): number[] {
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, i) => i * step);
}

/** The words over the lines. */
export function axis(scale: Scale): Html {
  const words = linesOf(scale).map((ms, i) => {
    const anchor = ms === 0 ? "start" : ms / scale.span > 0.95 ? "end" : "middle";
    const text = ms === 0 ? "0" : `+${spanText(ms / 1000)}`;
    const second = i % 2 === 1 && html` class="second"`;
    return html`<text${second} x="${percent(ms, scale)}" y="12" text-anchor="${anchor}">${text}</text>`;
  });
  return html`<div class="chain axis" aria-hidden="true"><div class="about">Time since the full backup</div><div class="names"></div>
<svg class="lanes" width="100%" height="16">${words}</svg></div>`;
}

/**
 * A lane for each store, with a mark for each snapshot and a line from each to its base. Positions are percentages, so
 * that marks keep their form at any width.
 */
export function lanes({ links }: Chain, sites: readonly Site[], scale: Scale, now: Date): Html {
  const height = LANE_HEIGHT * sites.length;
  const begin = links[0]?.time ?? 0;
  const places = new Map(links.map((link) => [link.name, percent(link.time - begin, scale)]));
  const grid = linesOf(scale).map((ms) => {
    const x = percent(ms, scale);
    return html`<line class="grid" x1="${x}" x2="${x}" y1="0" y2="${height}"/>`;
  });
  const drawn = sites.map((site, i) => {
    const y = LANE_HEIGHT * (i + 0.5);
    const ties = links.map((link) => tie(link, site, places, y));
    return html`${ties}${links.map((link) => mark(link, site, places.get(link.name) ?? "0%", y, now))}`;
  });
  return html`<svg class="lanes" width="100%" height="${height}" role="img" aria-label="${summary(links, sites)}">${grid}${drawn}</svg>`;
}

/** The line to the base, where the store has both. */
function tie(
  { name, base, at, unrestorableAt }: ChainLink,
  site: Site,
  places: ReadonlyMap<string, string>,
  y: number,
): Html {
  const [from, to] = [base === undefined ? undefined : places.get(base), places.get(name)];
  if (at[site] === undefined || from === undefined || to === undefined) return html``;
  const broken = unrestorableAt.includes(site) && html` broken`;
  return html`<line class="tie${broken}" x1="${from}" x2="${to}" y1="${y}" y2="${y}"/>`;
}

export function mark(link: ChainLink, site: Site, x: string, y: number, now: Date): Html {
  const { name, kind, time, at } = link;
  const entry = at[site];
  const state = stateOf(link, site);
  const id = state === "absent" ? "m-absent" : `m-${kind}-${state}`;
  const size = entry === undefined ? "" : `, ${formatSize(entry.bytes)}`;
  const held = entry?.held === true;
  const words = `${SITE_TITLES[site]}: ${name}, ${momentText(isoTime(time), now)}${size}, ${stateText(link, site)}`;
  return html`<g><title>${words}</title><use href="#${id}" x="${x}" y="${y}"/>${held && html`<use href="#m-held" x="${x}" y="${y}"/>`}</g>`;
}

/** For those who do not see the marks. */
export function summary(links: readonly ChainLink[], sites: readonly Site[]): string {
  return sites
    .map((site) => {
      const counts = new Map<string, number>();
      for (const link of links) {
        const state = stateWords(link, site);
        counts.set(state, (counts.get(state) ?? 0) + 1);
      }
      const parts = [...counts].map(([state, count]) => `${count} ${state}`);
      return `${SITE_TITLES[site]}: ${parts.join(", ")}.`;
    })
    .join(" ");
}
