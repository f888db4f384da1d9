import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { parse, stringify } from "yaml";
import { Metrics } from "../../src/server/metrics.js";
import { newFolder } from "../support/folders.js";
import { alertSettings } from "../../src/settings/server-declarations.js";

const FOLDER = fileURLToPath(new URL("../../../deploy/prometheus/", import.meta.url));

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

interface AlertTest {
  readonly alertname: string;
  readonly exp_alerts: readonly unknown[];
}

const read = (name: string): string => readFileSync(`${FOLDER}${name}`, "utf8");
const rules: readonly Rule[] = parse(read("alerts.yaml")).groups.flatMap(
  (group: { rules: Rule[] }) => group.rules,
);

/** A tool of Prometheus, in the folder of the rules. */
function promtool(...args: readonly string[]): string {
  return execFileSync("promtool", args, { cwd: FOLDER, encoding: "utf8" });
}

test("Prometheus takes the alert rules, and they do what their tests say", (t) => {
  t.regex(promtool("check", "rules", "alerts.yaml"), /SUCCESS: \d+ rules found/);
  t.regex(promtool("test", "rules", "alerts.test.yaml"), /SUCCESS/);
});

test("for each alert there is a case in which it fires, and no case is of an unknown alert", (t) => {
  const tests: readonly AlertTest[] = parse(read("alerts.test.yaml")).tests.flatMap(
    (one: { alert_rule_test: AlertTest[] }) => one.alert_rule_test,
  );
  for (const { alert } of rules) {
    const cases = tests.filter(({ alertname }) => alertname === alert);
    t.true(
      cases.some(({ exp_alerts }) => exp_alerts.length > 0),
      `${alert} never fires`,
    );
  }
  const names = new Set(rules.map(({ alert }) => alert));
  t.is(names.size, rules.length);
  t.deepEqual(
    tests.filter(({ alertname }) => !names.has(alertname)),
    [],
  );
});

test("the limits of the rules are the defaults of the server", (t) => {
  const hours = (setting: keyof typeof alertSettings): string => {
    const { default: text } = { default: undefined, ...alertSettings[setting] };
    return `> ${Number.parseInt(text ?? "", 10)} * 3600`;
  };
  const exprOf = (name: string) => rules.find(({ alert }) => alert === name)?.expr ?? "";
  t.true(exprOf("BackuptoolBackupTooOld").includes(hours("max-backup-age-alert")));
  t.true(exprOf("BackuptoolSecondaryBackupTooOld").includes(hours("max-backup-age-alert")));
  t.true(exprOf("BackuptoolSyncLag").includes(hours("max-sync-lag-alert")));
});

/** The names of the metrics in an expression. */
function metricsIn(expression: string): string[] {
  return expression.match(/\b(?:backuptool|process)_\w+/g) ?? [];
}

test("each metric that a rule or a panel of the dashboard asks for is one of the server", (t) => {
  const status = () => t.fail("no status is needed for names");
  const names = new Set(new Metrics({ status }, "0.0.0").names());
  t.deepEqual(
    rules.flatMap(({ expr }) => metricsIn(expr)).filter((name) => !names.has(name)),
    [],
  );
  const { panels, templating } = JSON.parse(read("dashboard.json"));
  const expressions: readonly string[] = [
    ...panels.flatMap(({ targets = [] }: { targets?: { expr: string }[] }) =>
      targets.map(({ expr }) => expr),
    ),
    ...templating.list.map(({ query }: { query: unknown }) => JSON.stringify(query)),
  ];
  const asked = new Set(expressions.flatMap(metricsIn));
  t.deepEqual(
    [...asked].filter((name) => !names.has(name)),
    [],
  );
  // And what the server says is shown.
  const shown = [...asked, ...rules.flatMap(({ expr }) => metricsIn(expr))];
  t.deepEqual(
    [...names].filter((name) => name.startsWith("backuptool_") && !shown.includes(name)),
    [],
  );
});

test("Prometheus can parse each query of the dashboard", (t) => {
  const { panels } = JSON.parse(read("dashboard.json"));
  const queries: readonly string[] = panels.flatMap(
    ({ targets = [] }: { targets?: { expr: string }[] }) => targets.map(({ expr }) => expr),
  );
  t.true(queries.length > 20);
  const recorded = queries.map((expr, i) => ({
    record: `query:${i}`,
    expr: expr.replaceAll("$__rate_interval", "5m"),
  }));
  const folder = newFolder();
  writeFileSync(
    join(folder, "queries.yaml"),
    stringify({ groups: [{ name: "q", rules: recorded }] }),
  );
  const output = execFileSync("promtool", ["check", "rules", join(folder, "queries.yaml")], {
    encoding: "utf8",
  });
  t.true(output.includes(`SUCCESS: ${queries.length} rules found`), output);
});
