import type { ServerStatus } from "../status.js";
import { renderDeltas } from "./deltas.js";
import { renderFailures } from "./failures.js";
import { html, type Html } from "./html.js";
import { renderJobs } from "./jobs.js";
import { renderSites } from "./site-card.js";
import { renderTimeline } from "./timeline.js";
import { clockText, spanText } from "./times.js";
import { findingsOf, renderVerdict, verdictOf } from "./verdict.js";

/** The parts of the page that change, in their order, by the ids of their elements. */
const SECTIONS: Readonly<Record<string, (status: ServerStatus) => Html>> = {
  server: renderServer,
  verdict: renderVerdict,
  sites: renderSites,
  deltas: renderDeltas,
  jobs: renderJobs,
  timeline: renderTimeline,
  failures: renderFailures,
};

/** What the script of the page takes for the title of the document. */
const TITLE = "title";

/** The markup of each section, and the plain text of the title. */
export function renderSections(status: ServerStatus): Map<string, string> {
  const sections = new Map([[TITLE, titleText(status)]]);
  for (const [id, render] of Object.entries(SECTIONS)) sections.set(id, render(status).text);
  return sections;
}

/** All sections in one piece of markup. */
export function renderBody(status: ServerStatus): Html {
  const main = Object.entries(SECTIONS)
    .filter(([id]) => id !== "server")
    .map(([id, render]) => {
      // A screen reader tells when the verdict changes.
      const role = id === "verdict" && html` role="status"`;
      return html`<div id="s-${id}"${role}>${render(status)}</div>
`;
    });
  return html`<header><h1>backuptool</h1><div id="s-server">${renderServer(status)}</div>
<p id="live" role="status"><noscript>Reload the page for newer values.</noscript></p></header>
<main>${main}</main>`;
}

/** For the list of tabs: the state, then the age. */
export function titleText(status: ServerStatus): string {
  const { level, words } = verdictOf(findingsOf(status));
  if (level !== "good") return `${level === "bad" ? "✕" : "!"} ${words} – backuptool`;
  const age = status.sites.primary?.newestRestorable?.ageSeconds;
  return `✓ ${age === undefined ? words : spanText(age)} – backuptool`;
}

function renderServer({ leader, version, now }: ServerStatus): Html {
  return html`<p class="quiet">${leaderWords(leader)} · version ${version} · as of <time datetime="${now}">${clockText(new Date(now))}</time> UTC</p>`;
}

function leaderWords({ election, isLeader, identity, current }: ServerStatus["leader"]): Html {
  const self = identity === undefined ? html`this server` : html`<b>${identity}</b>`;
  if (!election) return html`${self}, without election`;
  if (isLeader) return html`${self} is the leader`;
  if (current === undefined) return html`${self} follows; no leader is known`;
  return html`${self} follows <b>${current.identity}</b>${isWebAddress(current.url) && html` (<a href="${current.url}">its page</a>)`}`;
}

/** The address comes from etcd, where others can write: no other scheme may be a link. */
function isWebAddress(url: string | undefined): url is string {
  return url !== undefined && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}
