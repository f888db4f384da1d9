import { SettingError } from "../errors.js";
import { parseCalendarSpan } from "../snapshots/retention/calendar-span.js";
import type { RetentionPolicy } from "../snapshots/retention/policy.js";
import { age, choice, text, type Values, wholeNumber } from "./kinds.js";

/** How many of a kind to keep: none by default. */
const keepCount = {
  ...text,
  parse: (given: string, reject: (problem: string) => Error): number => {
    if (given === "unlimited" || given === "-1") return Number.POSITIVE_INFINITY;
    if (/^\d{1,9}$/.test(given)) return Number(given);
    throw reject("is neither a number nor unlimited");
  },
} as const;

const calendarSpan = {
  ...text,
  parse: (given: string, reject: (problem: string, hint: string) => Error) => {
    const span = parseCalendarSpan(given);
    if (span !== undefined) return span;
    throw reject(
      "is not a time by the calendar",
      "write years, months, days and hours, such as 2y5m7d3h: m is months",
    );
  },
} as const;

/** Which snapshots of a store retention keeps. */
export const retentionSettings = {
  "garbage-collection-policy": {
    ...choice(["Exponential", "LimitBased", "Keep"]),
    default: "Exponential",
    describe:
      "Exponential: full backups of the last hour, then one for each of 24 hours, 7 days and 4 weeks; LimitBased: --max-backups; Keep: the --keep-… flags",
  },
  "delta-snapshot-retention-period": {
    ...age,
    default: "24h",
    describe:
      "Age up to which streams of etcd's deltas are kept, and with Exponential incrementals over older full backups; those of the newest always are",
  },
  "max-backups": {
    ...wholeNumber(1, 1e9),
    describe: "LimitBased: newest full backups to keep, with their incrementals (default: 7)",
  },
  "keep-last": { ...keepCount, describe: "Keep: the newest backups, full and incremental" },
  "keep-hourly": { ...keepCount, describe: "Keep: the last backup of each of so many hours" },
  "keep-daily": { ...keepCount, describe: "Keep: the last backup of each of so many days" },
  "keep-weekly": { ...keepCount, describe: "Keep: the last backup of each of so many weeks" },
  "keep-monthly": { ...keepCount, describe: "Keep: the last backup of each of so many months" },
  "keep-yearly": { ...keepCount, describe: "Keep: the last backup of each of so many years" },
  "keep-within": {
    ...calendarSpan,
    describe: "Keep: all backups of a time before the newest, such as 1y6m14d12h (m is months)",
  },
} as const;

const COUNTS = [
  "keep-last",
  "keep-hourly",
  "keep-daily",
  "keep-weekly",
  "keep-monthly",
  "keep-yearly",
] as const;
const KEEP = [...COUNTS, "keep-within"] as const;

/** Names of the settings of one policy each. */
export const POLICY_SETTINGS = { Keep: KEEP, LimitBased: ["max-backups"] } as const;

/** @throws SettingError for settings of another policy, and for Keep without a rule */
export function retentionPolicy(values: Values<typeof retentionSettings>): RetentionPolicy {
  const policy = values["garbage-collection-policy"];
  for (const [needed, names] of Object.entries(POLICY_SETTINGS)) {
    const given = names.find((name) => values[name] !== undefined);
    if (given === undefined || needed === policy) continue;
    throw new SettingError(given, `has no effect with the policy ${policy}`, {
      hint: `choose ${needed}`,
      settings: [`garbage-collection-policy=${needed}`],
    });
  }
  switch (policy) {
    case "Exponential":
      return { kind: "exponential", incrementalsMs: values["delta-snapshot-retention-period"] };
    case "LimitBased":
      return { kind: "limit-based", maxBackups: values["max-backups"] ?? 7 };
    case "Keep":
      return keepPolicy(values);
  }
}

function keepPolicy(values: Values<typeof retentionSettings>): RetentionPolicy {
  const within = values["keep-within"];
  const [last = 0, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0] = COUNTS.map(
    (name) => values[name] ?? 0,
  );
  const counts = last + hourly + daily + weekly + monthly + yearly;
  const span = within === undefined ? 0 : within.years + within.months + within.days + within.hours;
  if (counts + span === 0) {
    throw new SettingError("garbage-collection-policy", "is Keep, without a rule", {
      hint: "give at least one",
      settings: [...KEEP],
    });
  }
  return { kind: "keep", last, hourly, daily, weekly, monthly, yearly, within };
}
