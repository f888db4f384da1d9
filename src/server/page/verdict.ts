import type { SiteStatus } from "../../operations/status/site-status.js";
import { type ActiveAlert, JOB_NAMES, type ServerStatus, type Site, SITES } from "../status.js";
import { html, type Html } from "./html.js";
import { icon, type Level } from "./icons.js";
import { JOB_TITLES, SITE_TITLES } from "./titles.js";

/** Something that an operator should know, in words. */
export interface Finding {
  readonly level: "bad" | "attention" | "unknown";
  readonly text: string;
}

/** What is wrong, the worst first; empty if nothing is. */
export function findingsOf(status: ServerStatus): Finding[] {
  const found = [
    ...status.alerts.map(({ message }) => bad(message)),
    ...SITES.flatMap((site) => siteFindings(site, status.sites[site], status.alerts)),
    ...jobFindings(status),
  ];
  const { leader } = status;
  if (leader.election && !leader.isLeader && leader.current === undefined) {
    found.push(attention("No leader is known, so no server makes backups."));
  }
  return ["bad", "attention", "unknown"].flatMap((level) =>
    found.filter((finding) => finding.level === level),
  );
}

/** What is not already among the alerts. */
function siteFindings(
  name: Site,
  site: SiteStatus | undefined,
  alerts: readonly ActiveAlert[],
): Finding[] {
  const title = `The ${SITE_TITLES[name].toLowerCase()} store`;
  const unlisted: Finding = { level: "unknown", text: `${title} was not listed yet.` };
  if (site === undefined) return name === "primary" ? [unlisted] : [];
  const isAlerted = (kind: ActiveAlert["name"]): boolean =>
    alerts.some((alert) => alert.name === kind && (alert.site ?? name) === name);
  const found: Finding[] = [];
  const worse = name === "primary" ? bad : attention;
  if (!site.reachable && (site.error !== undefined || site.checkedAt !== undefined)) {
    const why = site.error === undefined ? "." : `: ${site.error}`;
    if (!isAlerted("breaker-open")) found.push(worse(`${title} cannot be reached${why}`));
  }
  if (site.checkedAt === undefined) {
    return found.length === 0 ? [unlisted] : found;
  }
  if (site.newestRestorable === undefined && !isAlerted("backup-too-old")) {
    found.push(worse(`${title} holds no restorable backup.`));
  }
  const damaged = site.snapshots.damaged;
  if (damaged > 0) {
    found.push(
      bad(
        `${title} holds ${damaged === 1 ? "a damaged snapshot" : `${damaged} damaged snapshots`}.`,
      ),
    );
  }
  const files = site.verification?.damagedFiles ?? 0;
  if (files > 0 && !isAlerted("verification-failed")) {
    found.push(bad(`${title} has ${files === 1 ? "a damaged file" : `${files} damaged files`}.`));
  }
  return found;
}

function jobFindings({ jobs, alerts }: ServerStatus): Finding[] {
  return JOB_NAMES.flatMap((name) => {
    const { failuresInARow: times, lastFailure } = jobs[name];
    const isBackup = name === "full" || name === "incremental";
    if (times === 0 || (isBackup && alerts.some((alert) => alert.name === "backup-failed"))) {
      return [];
    }
    const often = times === 1 ? "failed" : `failed ${times} times in a row`;
    const why = lastFailure === undefined ? "." : `: ${lastFailure.message}`;
    return [attention(`${JOB_TITLES[name]} ${often}${why}`)];
  });
}

function bad(text: string): Finding {
  return { level: "bad", text };
}

function attention(text: string): Finding {
  return { level: "attention", text };
}

/** The level of all, and a few words. */
export function verdictOf(findings: readonly Finding[]): { level: Level; words: string } {
  const [worst] = findings;
  if (worst === undefined) return { level: "good", words: "No problems" };
  if (worst.level === "unknown") return { level: "unknown", words: "Not known yet" };
  const count = findings.filter(({ level }) => level !== "unknown").length;
  const words = count === 1 ? "1 problem" : `${count} problems`;
  return { level: worst.level, words };
}

export function renderVerdict(status: ServerStatus): Html {
  const findings = findingsOf(status);
  const { level, words } = verdictOf(findings);
  const list = findings.map(
    (finding) => html`<li>${icon(finding.level)}<span>${finding.text}</span></li>`,
  );
  return html`<div class="verdict ${level}">
<p class="headline">${icon(level)}<span>${words}</span></p>
${list.length > 0 && html`<ul>${list}</ul>`}
</div>`;
}
