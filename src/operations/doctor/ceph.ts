import { quoted } from "../../quoted.js";
import { CephCluster, type CephOptions } from "../../sources/ceph/cluster.js";
import { libradosVersion } from "../../sources/ceph/librados.js";
import { checkConf, checkKeyring } from "./ceph-files.js";
import { checkPool, checkTarget } from "./ceph-pool.js";
import { ANSWER_MS, STEP_MS, type AreaChecks } from "./check.js";
import { withDeadline } from "../../flow/deadline.js";

export interface CephChecks {
  readonly ceph: CephOptions;
  /** Pools that must be readable; all that there are when neither these nor targets are named. */
  readonly includePools: readonly string[];
  /** Pools that must be writable. */
  readonly targetPools: readonly string[];
}

/** From the library up to the pools; what cannot work without what failed is skipped. */
export async function checkCeph(
  checks: AreaChecks,
  options: CephChecks,
  signal: AbortSignal,
): Promise<void> {
  const { ceph } = options;
  const librados = checkLibrados(checks);
  const conf = await checkConf(checks, ceph.conf, signal);
  const keyring = await checkKeyring(checks, ceph, signal);
  if (!librados || !conf || !keyring) {
    checks.skipped("connection", "it needs what failed above");
    return;
  }
  const cluster = await connect(checks, ceph, signal);
  if (cluster === undefined) return;
  try {
    checks.ok("connection", `as ${quoted(userOf(ceph))}, cluster ${cluster.fsid}`);
    await checkPools(checks, cluster, options, signal);
  } finally {
    await cluster.close();
  }
}

function checkLibrados(checks: AreaChecks): boolean {
  try {
    checks.ok("librados", `version ${libradosVersion()}`);
    return true;
  } catch (error) {
    checks.failedBy("librados", error, "ceph");
    return false;
  }
}

async function connect(
  checks: AreaChecks,
  ceph: CephOptions,
  signal: AbortSignal,
): Promise<CephCluster | undefined> {
  const seconds = ANSWER_MS / 1000;
  const quick = {
    ...ceph,
    opTimeoutSeconds: Math.min(ceph.opTimeoutSeconds ?? seconds, seconds),
    connectTimeoutSeconds: Math.min(ceph.connectTimeoutSeconds ?? seconds, seconds),
  };
  try {
    // Not the signal of the step: the connection is used after it.
    return await withDeadline(STEP_MS, signal, () => CephCluster.connect(quick, signal));
  } catch (error) {
    checks.failedBy("connection", error, "ceph");
    return undefined;
  }
}

async function checkPools(
  checks: AreaChecks,
  cluster: CephCluster,
  { includePools, targetPools, ceph }: CephChecks,
  signal: AbortSignal,
): Promise<void> {
  let existing: readonly string[];
  try {
    existing = await withDeadline(STEP_MS, signal, () => cluster.listPools());
    checks.ok("pools", existing.length === 0 ? "there are none" : `${existing.length} there`);
  } catch (error) {
    checks.failedBy("pools", error, "ceph", "the user needs the capability mon 'allow r'");
    return;
  }
  const all = includePools.length === 0 && targetPools.length === 0;
  const context = { cluster, existing, user: userOf(ceph), signal };
  const sources = [...new Set(all ? existing : includePools)];
  const targets = [...new Set(targetPools)];
  // A cluster whose OSDs do not answer makes each wait.
  await checks.together([
    ...sources.map((pool) => (part: AreaChecks) => checkPool(part, pool, context)),
    ...targets.map((pool) => (part: AreaChecks) => checkTarget(part, pool, context)),
  ]);
}

function userOf({ user = "admin" }: CephOptions): string {
  return user.includes(".") ? user : `client.${user}`;
}
