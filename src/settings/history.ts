import { SettingError } from "../errors.js";
import { DEFAULT_MEMBER, type MemberOptions } from "../operations/history/data-dir.js";
import type { HistoryTarget } from "../operations/history/history-target.js";
import { newToken } from "../operations/history/unused-token.js";
import { parseInitialCluster } from "../sources/etcd/members/peer-urls.js";
import { duration, text, toggle, type Values, wholeNumber } from "./kinds.js";

type Reject = (problem: string, hint?: string) => Error;

/** The most of a revision: a whole number of JavaScript, which the format has too. */
const MAX_REVISION = Number.MAX_SAFE_INTEGER;
const TIME = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)$/;

const revision = {
  ...text,
  parse: (given: string, reject: Reject): number | "latest" => {
    if (given === "latest") return given;
    const value = /^\d{1,16}$/.test(given) ? Number(given) : 0;
    if (value >= 1 && value <= MAX_REVISION) return value;
    throw reject("is neither a revision of etcd nor latest");
  },
} as const;

/** Milliseconds since 1970. */
const moment = {
  ...text,
  parse: (given: string, reject: Reject): number => {
    const ms = TIME.test(given) ? Date.parse(given.replace(" ", "T").toUpperCase()) : Number.NaN;
    if (!Number.isNaN(ms)) return ms;
    throw reject("is not a time", "write it with its zone, such as 2026-11-28T14:05:00Z or +01:00");
  },
} as const;

/** Which moment of etcd's history. */
export const targetSettings = {
  "target-revision": {
    ...revision,
    describe: "Revision of etcd to restore, from raw snapshots and deltas, or latest",
  },
  "target-time": {
    ...moment,
    describe: "Restore etcd as it was at this time, such as 2026-11-28T14:05:00Z",
  },
} as const;

/** Restores that make files instead of writing to a cluster. */
export const etcdFileSettings = {
  "etcd-snapshot-out": {
    ...text,
    describe: "Write a database file that etcdctl snapshot restore takes; Ceph is left alone",
  },
  "etcd-data-dir": {
    ...text,
    describe: "Make the data dir of a member with etcdutl or etcdctl; Ceph is left alone",
  },
  "bump-revision": {
    ...wholeNumber(1, 2 ** 40),
    describe: "Let the revisions of the file go on so much higher, so that watchers notice",
  },
  "unknown-lease-ttl": {
    ...duration,
    default: "1h",
    describe: "TTL of leases that a key names and no backup knows any more",
  },
} as const;

/** The member of a new data dir, as `etcdctl snapshot restore` names these. */
export const memberSettings = {
  name: { ...text, default: DEFAULT_MEMBER.name, describe: "Name of the member" },
  "initial-cluster": {
    ...text,
    describe: "NAME=PEER_URL of every member, separated by commas (default: this member alone)",
  },
  "initial-cluster-token": {
    ...text,
    describe:
      "Token of the new cluster, never used before (default: a random one for a single member)",
  },
  "initial-advertise-peer-urls": {
    ...text,
    default: DEFAULT_MEMBER.initialAdvertisePeerUrls,
    describe: "Peer URLs of this member, separated by commas",
  },
  "skip-hash-check": {
    ...toggle,
    describe:
      "Let etcd's program take the database that was just written without its SHA-256; what a backup holds is always checked",
  },
} as const;

/** Undefined: none was asked for. @throws UsageError */
export function historyTarget(values: Values<typeof targetSettings>): HistoryTarget | undefined {
  const { "target-revision": wanted, "target-time": timeMs } = values;
  if (wanted === "latest") return { kind: "newest" };
  if (wanted !== undefined) return { kind: "revision", revision: wanted };
  if (timeMs === undefined) return undefined;
  if (timeMs > Date.now()) {
    throw new SettingError("target-time", "is in the future", {
      hint: "restore the newest revision instead",
      settings: ["target-revision=latest"],
    });
  }
  return { kind: "time", timeMs };
}

/** @throws UsageError */
export function memberOptions(values: Values<typeof memberSettings>): MemberOptions {
  const { "initial-cluster-token": token, "initial-cluster": cluster = "" } = values;
  if (token === undefined && cluster !== "" && parseInitialCluster(cluster).size > 1) {
    throw new SettingError("initial-cluster-token", "is needed: the cluster has several members", {
      hint: "choose one that was never used, and give the same one for each member",
    });
  }
  return {
    name: values.name,
    initialCluster: values["initial-cluster"],
    initialClusterToken: token ?? newToken(),
    initialAdvertisePeerUrls: values["initial-advertise-peer-urls"],
    skipHashCheck: values["skip-hash-check"],
  };
}

/** Whole seconds, at least one. */
export function unknownLeaseTtl(
  values: Pick<Values<typeof etcdFileSettings>, "unknown-lease-ttl">,
): number {
  return Math.max(1, Math.round(values["unknown-lease-ttl"] / 1000));
}
