import test from "ava";
import type { SiteStatus } from "../../../src/operations/status/site-status.js";
import { findingsOf, verdictOf } from "../../../src/server/page/verdict.js";
import { titleText } from "../../../src/server/page/sections.js";
import type { ServerStatus } from "../../../src/server/status.js";
import { healthyStatus, STARTING, troubledStatus } from "../../support/server/sample-status.js";

function withSite(name: "primary" | "secondary", change: Partial<SiteStatus>): ServerStatus {
  const status = healthyStatus();
  const site = status.sites[name];
  if (site === undefined) throw new Error(`the sample has a ${name} store`);
  return { ...status, sites: { ...status.sites, [name]: { ...site, ...change } } };
}

function texts(status: ServerStatus): string[] {
  return findingsOf(status).map(({ level, text }) => `${level}: ${text}`);
}

test("a server whose backups and copies succeed has no problems, and its title the age", (t) => {
  t.deepEqual(texts(healthyStatus()), []);
  t.is(verdictOf([]).level, "good");
  t.is(titleText(healthyStatus()), "✓ 19 min – backuptool");
});

test("what is wrong is said once, the worst first", (t) => {
  t.deepEqual(
    texts(troubledStatus()).map((text) => text.slice(0, 42)),
    [
      "bad: The secondary store has failed since ",
      "bad: The full backup failed 4 times in a r",
      "bad: The primary store holds a damaged sna",
      "attention: Sync failed 6 times in a row: s",
    ],
  );
  t.is(titleText(troubledStatus()), "✕ 4 problems – backuptool");
});

test("a primary store that cannot be reached is worse than a secondary", (t) => {
  const change = { reachable: false, error: "connection refused" };
  t.deepEqual(texts(withSite("primary", change)), [
    "bad: The primary store cannot be reached: connection refused",
  ]);
  t.deepEqual(texts(withSite("secondary", change)), [
    "attention: The secondary store cannot be reached: connection refused",
  ]);
});

test("stores without restorable backups, damage and failures are problems", (t) => {
  const { newestRestorable: _, ...primary } =
    withSite("primary", {}).sites.primary ?? ({} as never);
  t.deepEqual(texts({ ...healthyStatus(), sites: { primary } }), [
    "bad: The primary store holds no restorable backup.",
  ]);
  t.deepEqual(texts(withSite("secondary", { verification: { damagedFiles: 2 } })), [
    "bad: The secondary store has 2 damaged files.",
  ]);
  const { jobs } = healthyStatus();
  const retention = { ...jobs.retention, failuresInARow: 1 };
  t.deepEqual(texts({ ...healthyStatus(), jobs: { ...jobs, retention } }), [
    "attention: Retention failed.",
  ]);
});

test("what is not known yet is no good news", (t) => {
  const primary = { ...healthyStatus().sites.primary, reachable: false } as SiteStatus;
  const { checkedAt: _, newestRestorable: __, ...unlisted } = primary;
  const status = { ...healthyStatus(), sites: { primary: unlisted } };
  t.deepEqual(texts(status), ["unknown: The primary store was not listed yet."]);
  t.is(verdictOf(findingsOf(status)).level, "unknown");
  t.deepEqual(texts(STARTING), [
    "attention: No leader is known, so no server makes backups.",
    "unknown: The primary store was not listed yet.",
  ]);
});
