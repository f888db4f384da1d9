import test from "ava";
import type { TimelineEntry } from "../../../src/operations/status/site-status.js";
import { renderTimeline } from "../../../src/server/page/timeline.js";
import { healthyStatus, STARTING } from "../../support/server/sample-status.js";

/** A full backup of a day of November, or the incremental after it. */
function entry(day: number, base?: string): TimelineEntry {
  const kind = base === undefined ? "full" : "incremental";
  return {
    name: `${kind} ${day}`,
    kind,
    time: new Date(Date.UTC(2026, 10, day, base === undefined ? 2 : 3)).toISOString(),
    state: "complete",
    ...(base !== undefined && { base }),
    bytes: 1 << 20,
    held: false,
  };
}

/** The rows of chains by their titles, with whether they are folded. */
function rowsOf(primary: readonly TimelineEntry[], secondary = primary): string[] {
  const status = healthyStatus();
  const site = status.sites.primary;
  if (site === undefined) throw new Error("the sample has a primary store");
  const sites = {
    primary: { ...site, timeline: primary },
    secondary: { ...site, timeline: secondary },
  };
  const [shown = "", older = ""] = renderTimeline({ ...status, sites }).text.split(
    '<details id="older-chains">',
  );
  const titles = (text: string): string[] =>
    [...text.matchAll(/<p class="begin">(.*?)<\/p>\n<p class="quiet">(.*?)<\/p>/g)].map(
      ([, title = "", rest = ""]) => `${title.replace(/<[^>]*>/g, "")}: ${rest}`,
    );
  return [...titles(shown), ...titles(older).map((title) => `folded ${title}`)];
}

test("neighbours that are full backups alone share a row, and chains have their own", (t) => {
  t.deepEqual(rowsOf([entry(9), entry(8, "full 8"), entry(8), entry(7), entry(6), entry(5)]), [
    "Full 9 Nov 02:00: 1.00 MiB",
    "Full 8 Nov 02:00: 1 incremental, 2.00 MiB",
    "3 full backups: without incrementals, 3.00 MiB",
  ]);
});

test("a row says what one of the stores does not have", (t) => {
  const all = [entry(8, "full 8"), entry(8), entry(7), entry(6)];
  t.deepEqual(rowsOf(all, all.slice(1, 3)), [
    "Full 8 Nov 02:00: 1 incremental, 2.00 MiB; 1 not in the secondary",
    "2 full backups: without incrementals, 2.00 MiB; 1 not in the secondary",
  ]);
});

test("rows after the tenth are folded", (t) => {
  const chains = Array.from({ length: 12 }, (_, i) => [
    entry(i + 1, `full ${i + 1}`),
    entry(i + 1),
  ]);
  const rows = rowsOf(chains.flat());
  t.is(rows.length, 12);
  t.deepEqual(rows.slice(9), [
    "Full 3 Nov 02:00: 1 incremental, 2.00 MiB",
    "folded Full 2 Nov 02:00: 1 incremental, 2.00 MiB",
    "folded Full 1 Nov 02:00: 1 incremental, 2.00 MiB",
  ]);
});

test("a base that is missing, or older than the timeline, is said in the title", (t) => {
  const old = "Full-00000000-00000009-1793498400";
  t.deepEqual(rowsOf([entry(9, old), entry(8, "missing")]), [
    "Full 1 Nov 02:00 (older part not shown): 1 incremental, 1.00 MiB",
    "Base missing, from 8 Nov 03:00: 1 incremental, 1.00 MiB",
  ]);
});

test("without snapshots there is no axis, legend or table", (t) => {
  const { text } = renderTimeline(STARTING);
  t.regex(text, /None are known/);
  t.notRegex(text, /<svg|<table/);
});
