import test from "ava";
import { SettingError, UsageError } from "../../src/errors.js";
import { valuesOf } from "../../src/settings/kinds.js";
import { retentionPolicy, retentionSettings } from "../../src/settings/retention.js";

function policyOf(given: Readonly<Record<string, string>>) {
  const settings = Object.entries(given).map(([name, value]) => ({
    name,
    value,
    source: "typed" as const,
    shown: `--${name}`,
  }));
  return retentionPolicy(valuesOf(retentionSettings, settings));
}

test("the default is the policy of etcd-backup-restore", (t) => {
  t.deepEqual(policyOf({}), { kind: "exponential", incrementalsMs: 86_400_000 });
  t.deepEqual(policyOf({ "delta-snapshot-retention-period": "0h" }), {
    kind: "exponential",
    incrementalsMs: 0,
  });
});

test("LimitBased keeps seven full backups by default", (t) => {
  const policy = { "garbage-collection-policy": "LimitBased" };
  t.deepEqual(policyOf(policy), { kind: "limit-based", maxBackups: 7 });
  t.deepEqual(policyOf({ ...policy, "max-backups": "3" }), { kind: "limit-based", maxBackups: 3 });
  t.throws(() => policyOf({ ...policy, "max-backups": "0" }), { instanceOf: UsageError });
});

test("Keep takes counts, unlimited, and a time by the calendar", (t) => {
  t.deepEqual(
    policyOf({
      "garbage-collection-policy": "Keep",
      "keep-last": "3",
      "keep-daily": "unlimited",
      "keep-weekly": "-1",
      "keep-within": "2y5m7d3h",
    }),
    {
      kind: "keep",
      last: 3,
      hourly: 0,
      daily: Number.POSITIVE_INFINITY,
      weekly: Number.POSITIVE_INFINITY,
      monthly: 0,
      yearly: 0,
      within: { years: 2, months: 5, days: 7, hours: 3 },
    },
  );
});

test("rules of another policy are an error that names the right one", (t) => {
  for (const [given, setting, needed] of [
    [{ "keep-daily": "7" }, "keep-daily", "Keep"],
    [{ "garbage-collection-policy": "LimitBased", "keep-within": "7d" }, "keep-within", "Keep"],
    [{ "max-backups": "7" }, "max-backups", "LimitBased"],
    [
      { "garbage-collection-policy": "Keep", "keep-last": "1", "max-backups": "7" },
      "max-backups",
      "LimitBased",
    ],
  ] as const) {
    const error = t.throws(() => policyOf(given), { instanceOf: SettingError });
    t.is(error?.setting, setting);
    t.deepEqual(error?.advice[0]?.settings, [`garbage-collection-policy=${needed}`]);
  }
});

test("Keep without anything to keep is an error, since it would delete all but the newest", (t) => {
  for (const given of [{}, { "keep-daily": "0" }, { "keep-within": "0d" }]) {
    const error = t.throws(() => policyOf({ "garbage-collection-policy": "Keep", ...given }), {
      instanceOf: SettingError,
    });
    t.is(error?.setting, "garbage-collection-policy");
  }
});

test("counts, spans and policies that are none are rejected", (t) => {
  const keep = { "garbage-collection-policy": "Keep" };
  for (const given of [
    { ...keep, "keep-last": "-2" },
    { ...keep, "keep-last": "1.5" },
    { ...keep, "keep-last": "all" },
    // Minutes do not exist: restic's m is months.
    { ...keep, "keep-within": "90" },
    { ...keep, "keep-within": "30s" },
    { ...keep, "keep-within": "7d1y" },
    { ...keep, "keep-within": "99999y" },
    { "garbage-collection-policy": "keep" },
  ]) {
    t.throws(() => policyOf(given), { instanceOf: UsageError }, JSON.stringify(given));
  }
});
