import type { EtcdOptions } from "../../sources/etcd/cluster.js";
import { parseEndpoint } from "../../sources/etcd/endpoint.js";
import { type Alarm, EtcdMember, type MemberStatus } from "../../sources/etcd/member.js";
import { quoted } from "../../quoted.js";
import { formatSize } from "../../size-text.js";
import { checkRawSnapshot, type SpoolSettings } from "../create/raw-snapshot.js";
import { answer, ANSWER_MS, type AreaChecks, step, wordsOf } from "./check.js";

/** The oldest version that this program is tested with. */
const OLDEST = [3, 4] as const;
/** etcd's default. */
const DEFAULT_QUOTA_BYTES = 2 * 2 ** 30;
const NEARLY_FULL = 0.8;

/** The findings about one endpoint. */
interface Findings {
  /** As it was given. */
  readonly endpoint: string;
  readonly status: MemberStatus;
  readonly details: string[];
  readonly warnings: string[];
  readonly failures: string[];
  readonly advice: string[];
}

/** Checks each endpoint, and that all are of one cluster. */
export async function checkEtcd(
  checks: AreaChecks,
  options: EtcdOptions,
  spool: SpoolSettings,
  signal: AbortSignal,
): Promise<void> {
  const { endpoints, ...rest } = options;
  const quick = { ...rest, timeoutMs: Math.min(rest.timeoutMs ?? ANSWER_MS, ANSWER_MS) };
  const examined = endpoints.map((endpoint) => examineEndpoint(endpoint, quick, signal));
  const answered: Findings[] = [];
  for (const [i, findings] of (await Promise.allSettled(examined)).entries()) {
    const endpoint = endpoints[i] ?? "";
    if (findings.status === "rejected") {
      checks.failedBy(endpoint, findings.reason, aboutOf(endpoint), "check the endpoint", ["etcd"]);
      continue;
    }
    answered.push(findings.value);
    reportFindings(checks, findings.value);
  }
  if (answered.length > 1) compare(checks, answered);
  if (answered.length > 0) await checkDatabase(checks, options, spool, signal);
}

/** Backups of records alone need no database, so that is no failure. */
async function checkDatabase(
  checks: AreaChecks,
  options: EtcdOptions,
  spool: SpoolSettings,
  signal: AbortSignal,
): Promise<void> {
  try {
    const bytes = await step(signal, (inner) => checkRawSnapshot(options, spool, inner));
    checks.ok("raw snapshot", `${formatSize(bytes)}, with room in ${quoted(spool.spoolDir)}`);
  } catch (error) {
    const { detail, hint, settings } = wordsOf(error, "");
    const advice = hint ?? "backups of records alone need none";
    checks.warning("raw snapshot", detail, advice, settings);
  }
}

/** Throws when the endpoint cannot be read. */
async function examineEndpoint(
  endpoint: string,
  options: Omit<EtcdOptions, "endpoints">,
  signal: AbortSignal,
): Promise<Findings> {
  const member = await step(signal, (inner) => EtcdMember.connect(endpoint, options, inner));
  try {
    const status = await answer(signal, (inner) => member.status(inner));
    const findings = newFindings(endpoint, status);
    judgeStatus(findings, status);
    try {
      judgeAlarms(findings, await answer(signal, (inner) => member.alarms(inner)));
    } catch (error) {
      const { detail } = wordsOf(error, aboutOf(endpoint));
      findings.warnings.push(`alarms unknown (${detail})`);
      findings.advice.push("see `etcdctl alarm list`");
    }
    judgeSize(findings, status);
    return findings;
  } finally {
    member.close();
  }
}

/** The start of error messages about the endpoint. */
function aboutOf(endpoint: string): string {
  return `etcd ${parseEndpoint(endpoint).address}`;
}

function newFindings(endpoint: string, status: MemberStatus): Findings {
  return { endpoint, status, details: [], warnings: [], failures: [], advice: [] };
}

function judgeStatus(findings: Findings, { version, clusterId, leader }: MemberStatus): void {
  findings.details.push(`version ${version}`, `cluster ${clusterId.toString(16)}`);
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    findings.warnings.push(`older than ${OLDEST.join(".")}`);
    findings.advice.push("upgrade etcd: such versions are not tested");
  }
  if (leader === 0n) {
    findings.failures.push("no leader");
    findings.advice.push("see `etcdctl endpoint status --cluster`: most members must be up");
  }
}

function judgeAlarms(findings: Findings, alarms: readonly Alarm[]): void {
  if (alarms.length === 0) {
    findings.details.push("no alarms");
    return;
  }
  for (const { kind, member } of alarms) {
    findings.failures.push(`alarm ${kind} of member ${member.toString(16)}`);
  }
  for (const kind of new Set(alarms.map((alarm) => alarm.kind))) {
    findings.advice.push(ALARM_ADVICE[kind] ?? "see `etcdctl alarm list`");
  }
}

const ALARM_ADVICE: Readonly<Record<string, string>> = {
  NOSPACE:
    "nothing can be written: compact and defragment etcd, or raise --quota-backend-bytes, then `etcdctl alarm disarm`",
  CORRUPT: "the member's data is damaged: replace it by a new member before you back up",
};

function judgeSize(findings: Findings, { databaseBytes, quotaBytes }: MemberStatus): void {
  const size = `database ${formatSize(databaseBytes)}`;
  const quota = quotaBytes === 0 ? DEFAULT_QUOTA_BYTES : quotaBytes;
  findings.details.push(quotaBytes === 0 ? size : `${size} of ${formatSize(quotaBytes)}`);
  if (databaseBytes < NEARLY_FULL * quota) return;
  findings.warnings.push(
    quotaBytes === 0
      ? `nearly full, if its quota is the usual ${formatSize(DEFAULT_QUOTA_BYTES)}`
      : "nearly full",
  );
  findings.advice.push("compact and defragment etcd, or raise --quota-backend-bytes");
}

function reportFindings(checks: AreaChecks, findings: Findings): void {
  const { endpoint, details, warnings, failures } = findings;
  // Two findings may have the same advice.
  const advice = [...new Set(findings.advice)].join("; ");
  const detail = [...details, ...failures, ...warnings].join(", ");
  if (failures.length > 0) checks.failed(endpoint, detail, advice);
  else if (warnings.length > 0) checks.warning(endpoint, detail, advice);
  else checks.ok(endpoint, detail);
}

function compare(checks: AreaChecks, answered: readonly Findings[]): void {
  const clusters = new Set(answered.map(({ status }) => status.clusterId.toString(16)));
  if (clusters.size > 1) {
    checks.failed(
      "members",
      `of ${clusters.size} clusters: ${[...clusters].join(", ")}`,
      "name members of one cluster only",
      ["etcd"],
    );
  } else checks.ok("members", `all ${answered.length} of one cluster`);
}
