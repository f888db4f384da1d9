import { STORE_SITES, type StatusReport } from "./report.js";

type Check = (value: unknown) => boolean;
type Fields = Readonly<Record<string, Check>>;

const isTime: Check = (value) => typeof value === "string" && !Number.isNaN(Date.parse(value));
const isText: Check = (value) => typeof value === "string";
const isFlag: Check = (value) => typeof value === "boolean";
const isCount: Check = (value) => typeof value === "number" && Number.isFinite(value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
/** An object with these fields, and perhaps others of a newer version. */
const objectOf =
  (fields: Fields): Check =>
  (value) =>
    isObject(value) && Object.entries(fields).every(([name, check]) => check(value[name]));

const isTimelineEntry = objectOf({
  name: isText,
  kind: isText,
  time: isText,
  state: isText,
  base: optional(isText),
  bytes: isCount,
  held: isFlag,
});

const isSite = objectOf({
  store: isText,
  breaker: isText,
  reachable: isFlag,
  error: optional(isText),
  checkedAt: optional(isText),
  newestRestorable: optional(objectOf({ snapshot: isText, time: isText, ageSeconds: isCount })),
  newestFull: optional(isText),
  snapshots: objectOf({ complete: isCount, unfinished: isCount, damaged: isCount, held: isCount }),
  bytes: isCount,
  timeline: listOf(isTimelineEntry),
  verification: optional(
    objectOf({
      lastAt: optional(isText),
      coveredPercent: optional(isCount),
      damagedFiles: isCount,
    }),
  ),
});

const isDeltas = objectOf({
  durableRevision: optional(isCount),
  missingRevisions: optional(isCount),
  oldestSeconds: isCount,
  waiting: objectOf({ deltas: isCount, bytes: isCount }),
  isBehind: isFlag,
});

const isReport = objectOf({
  version: isText,
  now: isTime,
  sites: objectOf(Object.fromEntries(STORE_SITES.map((site) => [site, optional(isSite)]))),
  alerts: listOf(
    objectOf({ key: isText, name: isText, site: optional(isText), message: isText, since: isText }),
  ),
  leader: optional(
    objectOf({
      election: isFlag,
      isLeader: isFlag,
      current: optional(objectOf({ identity: isText, url: optional(isText) })),
    }),
  ),
  deltas: optional(
    objectOf({
      state: isText,
      etcdRevision: optional(isCount),
      sites: objectOf(Object.fromEntries(STORE_SITES.map((site) => [site, optional(isDeltas)]))),
    }),
  ),
  sync: optional(
    objectOf({
      enabled: isFlag,
      running: isFlag,
      lag: optional(
        objectOf({
          snapshots: isCount,
          deltas: optional(isCount),
          bytes: isCount,
          seconds: isCount,
        }),
      ),
    }),
  ),
});

/** Whether parsed JSON is a status. */
export function isStatusReport(value: unknown): value is StatusReport {
  return isReport(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
