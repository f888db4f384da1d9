import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import test from "ava";
import { parse } from "yaml";
import { server } from "../../src/cli/commands/server.js";
import { ALERT_NAMES } from "../../src/server/status.js";
import { snapshotName } from "../../src/snapshots/name.js";
import type { Candidate } from "../../src/snapshots/retention/candidate.js";
import { type Decision, decide } from "../../src/snapshots/retention/decide.js";
import type { RetentionPolicy } from "../../src/snapshots/retention/policy.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const page = readFileSync(`${ROOT}docs/server.md`, "utf8");

test("docs/server.md has every setting of the server, with its default", (t) => {
  const settings = Object.entries(server.flags);
  t.true(settings.length > 60);
  for (const [name, { default: byDefault }] of settings) {
    t.true(page.includes(`\`--${name}\``), `--${name} is missing`);
    // The rows of the tables.
    const row = page.split("\n").find((line) => line.startsWith(`| \`--${name}\` `));
    if (row === undefined || typeof byDefault !== "string") continue;
    t.true(row.includes(`\`${byDefault}\``), row);
  }
  // And no other one.
  const flags = page.match(/(?<=^\| `--)[a-z-]+/gm) ?? [];
  t.deepEqual(
    flags.filter((name) => !Object.hasOwn(server.flags, name)),
    [],
  );
});

const NOW = new Date("2026-11-28T12:30:00Z");
const HOUR = 3600;

/** Full backups at 02:00 and incrementals at every other full hour, since 1 September. */
function history(): Candidate[] {
  const found: Candidate[] = [];
  let base: string | null = null;
  const end = NOW.getTime() / 1000;
  for (let time = Date.parse("2026-09-01T02:00:00Z") / 1000; time <= end; time += HOUR) {
    const kind = new Date(time * 1000).getUTCHours() === 2 ? "full" : "incremental";
    const facts: { id: string; base: string | null } = {
      id: `${time}`,
      base: kind === "full" ? null : base,
    };
    const name = snapshotName({ kind, firstRevision: 0, lastRevision: 0, time });
    const flags = { held: false, pinned: false, inProgress: false };
    found.push({ name, state: "complete", facts, ...flags });
    base = facts.id;
  }
  return found;
}

test("the examples of retention in docs/server.md are what the rules decide", (t) => {
  const keptBy = (policy: RetentionPolicy) =>
    decide(history(), policy, NOW, "UTC").filter(({ keep }) => keep);
  const days = (decisions: readonly Decision[], kind: string) =>
    decisions
      .filter(({ snapshot }) => snapshot.name.kind === kind)
      .map(({ snapshot }) => new Date(snapshot.name.time * 1000).toISOString().slice(5, 13));
  t.is(history().length, 2123);
  const exponential = keptBy({ kind: "exponential", incrementalsMs: 24 * HOUR * 1000 });
  t.is(exponential.length, 44);
  const november = ["01", "08", "15", "21", "22", "23", "24", "25", "26", "27", "28"];
  t.deepEqual(
    days(exponential, "full"),
    november.map((day) => `11-${day}T02`),
  );
  t.is(days(exponential, "incremental")[0], "11-27T03");
  const limited = keptBy({ kind: "limit-based", maxBackups: 7 });
  t.is(limited.length, 155);
  t.is(days(limited, "full")[0], "11-22T02");
  const counts = { last: 0, hourly: 24, daily: 7, weekly: 4, monthly: 3, yearly: 0 };
  const kept = keptBy({ kind: "keep", ...counts });
  t.is(kept.length, 233);
  t.is(days(kept, "full").length, 11);
  const by = (code: string) =>
    days(
      kept.filter(({ reasons }) => reasons.some((reason) => reason.code === code)),
      "incremental",
    );
  t.is(by("hourly")[0], "11-27T13");
  t.deepEqual(by("daily").slice(-7), [
    ...["22", "23", "24", "25", "26", "27"].map((day) => `11-${day}T23`),
    "11-28T12",
  ]);
  t.deepEqual(by("weekly"), ["11-08T23", "11-15T23", "11-22T23", "11-28T12"]);
  t.deepEqual(by("monthly"), ["09-30T23", "10-31T23", "11-28T12"]);
  for (const count of ["44 snapshots of 2,123", "155 snapshots", "233 snapshots, of which 11"]) {
    t.true(page.replaceAll(/\s+/g, " ").includes(count), count);
  }
});

test("docs/server.md names every alert, of the server and of Prometheus", (t) => {
  for (const name of ALERT_NAMES) t.true(page.includes(`| \`${name}\` `), name);
  const rules: readonly { readonly alert: string }[] = parse(
    readFileSync(`${ROOT}deploy/prometheus/alerts.yaml`, "utf8"),
  ).groups[0].rules;
  const named = new Set(page.match(/\bBackuptool[A-Z]\w+/g));
  t.deepEqual([...named].sort(), rules.map(({ alert }) => alert).sort());
});

test("the links within docs/server.md lead to headings", (t) => {
  const anchors = new Set(
    [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replace(/[^\w\s-]/g, "")
        .replaceAll(" ", "-"),
    ),
  );
  const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = ""]) => anchor);
  t.deepEqual(
    links.filter((anchor) => !anchors.has(anchor)),
    [],
  );
});
