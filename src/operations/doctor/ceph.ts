import { quoted } from "../../quoted.js";
import { CephCluster, type CephOptions } from "../../sources/ceph/cluster.js";
import { userName } from "../../sources/ceph/connect-settings.js";
import { libradosVersion } from "../../sources/ceph/librados.js";
import { checkConf, checkKeyring } from "./ceph-files.js";
import { checkPool, checkTarget } from "./ceph-pool.js";
import { ANSWER_MS, type AreaChecks, step } from "./check.js";

export interface CephChecks {
  readonly ceph: CephOptions;
  /** Pools that must be readable; all of the cluster when neither these nor targets are named. */
  readonly includePools: readonly string[];
  /** Pools that must be writable. */
  readonly targetPools: readonly string[];
}

/** Checks the library, the files, the connection and the pools. Checks that need a failed one are skipped. */
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
    checks.ok("connection", `as ${quoted(userName(ceph.user))}, cluster ${cluster.fsid}`);
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
    return await step(signal, () => CephCluster.connect(quick, signal));
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
    existing = await step(signal, () => cluster.listPools());
    checks.ok("pools", existing.length === 0 ? "there are none" : `${existing.length} there`);
  } catch (error) {
    checks.failedBy("pools", error, "ceph", "the user needs the capability mon 'allow r'");
    return;
  }
  const all = includePools.length === 0 && targetPools.length === 0;
  const context = { cluster, existing, user: userName(ceph.user), signal };
  const sources = [...new Set(all ? existing : includePools)];
  const targets = [...new Set(targetPools)];
  // Together: each waits when OSDs do not answer.
  await checks.together([
    ...sources.map((pool) => (part: AreaChecks) => checkPool(part, pool, context)),
    ...targets.map((pool) => (part: AreaChecks) => checkTarget(part, pool, context)),
  ]);
}
