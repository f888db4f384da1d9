import { randomBytes } from "node:crypto";
import { quoted } from "../../quoted.js";
import type { CephCluster } from "../../sources/ceph/cluster.js";
import { CephError, errnoNameOf } from "../../sources/ceph/errors.js";
import { packNames, sliceNames } from "../../sources/ceph/name-batch.js";
import type { CephPool } from "../../sources/ceph/pool.js";
import type { NameBatch, ObjectName, Pair, WriteObject } from "../../sources/ceph/types.js";
import { answer, type AreaChecks, step, wordsOf } from "./check.js";

interface PoolContext {
  readonly cluster: CephCluster;
  readonly existing: readonly string[];
  /** With `client.` */
  readonly user: string;
  readonly signal: AbortSignal;
}

const NOTHING = new Uint8Array();

/** Whether a backup can read a pool: its names, and an object with its attributes. */
export async function checkPool(
  checks: AreaChecks,
  pool: string,
  context: PoolContext,
): Promise<void> {
  const name = `pool ${quoted(pool)}`;
  await withPool(checks, name, pool, "r", context, async (opened) => {
    const listed = await step(context.signal, (signal) => firstNames(opened, signal));
    if (listed === undefined) {
      checks.ok(name, "can be listed, and is empty");
      return;
    }
    await step(context.signal, (signal) => readFirst(opened, listed, signal));
    checks.ok(name, "can be listed and read");
  });
}

/** Whether a restore can write into a pool: writes an object and removes it. */
export async function checkTarget(
  checks: AreaChecks,
  pool: string,
  context: PoolContext,
): Promise<void> {
  const name = `target pool ${quoted(pool)}`;
  await withPool(checks, name, pool, "rw", context, async (opened) => {
    const probe = {
      namespace: NOTHING,
      locator: NOTHING,
      name: Buffer.from(`.backuptool-probe-${randomBytes(8).toString("hex")}`),
    };
    let omap = true;
    try {
      await write(opened, probe, [], context.signal);
      omap = await takesOmap(opened, probe, context.signal);
    } finally {
      await remove(checks, name, opened, probe);
    }
    if (omap) checks.ok(name, "can be written");
    else {
      checks.warning(
        name,
        "can be written, but takes no omap: it is erasure-coded",
        "restore objects with an omap into a replicated pool",
      );
    }
  });
}

async function withPool(
  checks: AreaChecks,
  name: string,
  pool: string,
  rights: "r" | "rw",
  { cluster, existing, user, signal }: PoolContext,
  work: (opened: CephPool) => Promise<void>,
): Promise<void> {
  if (!existing.includes(pool)) {
    const known = existing.map(quoted).join(", ") || "none";
    checks.failed(name, "there is no such pool", `make it, or name one of those there: ${known}`);
    return;
  }
  try {
    const opened = await step(signal, () => cluster.openPool(pool));
    try {
      await work(opened);
    } finally {
      opened.close();
    }
  } catch (error) {
    const reported = error instanceof CephError ? withoutPool(error, pool) : error;
    checks.failedBy(name, reported, "ceph", adviceFor(error, user, rights, pool));
  }
}

/**
 * The error without the pool, which the check names already, and without the hint of a denied call: {@link adviceFor} has
 * the command to run.
 */
function withoutPool(error: CephError, pool: string): CephError {
  const message = error.message.replace(` in pool ${quoted(pool)}`, "");
  const advice = error.code === "CEPH_DENIED" ? [] : error.advice;
  return new CephError(error.code, message, error, { cause: error, advice });
}

function adviceFor(error: unknown, user: string, rights: string, pool: string): string {
  if (!(error instanceof CephError) || error.code !== "CEPH_DENIED") {
    return "see `ceph health detail`";
  }
  return `give ${quoted(user)} the capability osd 'allow ${rights} pool=${pool}' (ceph auth caps), or leave the pool out`;
}

async function firstNames(pool: CephPool, signal: AbortSignal): Promise<NameBatch | undefined> {
  for await (const names of pool.list({ slices: 1, pageSize: 16, signal })) return names;
  return undefined;
}

/** Reads an object; one that was deleted meanwhile is no failure. */
async function readFirst(pool: CephPool, names: NameBatch, signal: AbortSignal): Promise<void> {
  const one = sliceNames(names, 0, 1);
  const { errno } = await pool.stat(one, signal);
  const [code = 0] = errno;
  if (code !== 0 && errnoNameOf(code) !== "ENOENT") {
    throw CephError.of(code, { operation: "stat an object", pool: pool.name });
  }
  for await (const { objects, failures } of pool.read([one], { memoryBytes: 1, signal })) {
    for (const object of objects) object.release();
    const [failure] = failures;
    if (failure !== undefined) throw failure.error;
  }
}

/** Whether the pool has omaps; an erasure-coded pool has none. */
async function takesOmap(pool: CephPool, probe: ObjectName, signal: AbortSignal): Promise<boolean> {
  try {
    await write(pool, probe, [[Buffer.from("probe"), Buffer.from("omap")]], signal);
    return true;
  } catch (error) {
    if (error instanceof CephError && error.code === "CEPH_NO_OMAP") return false;
    throw error;
  }
}

function write(
  pool: CephPool,
  probe: ObjectName,
  omap: readonly Pair[],
  signal: AbortSignal,
): Promise<void> {
  const object: WriteObject = {
    ...probe,
    data: [Buffer.from("a probe of backuptool doctor")],
    mtime: BigInt(Date.now()) * 1_000_000n,
    xattrs: [],
    omapHeader: NOTHING,
    omap,
  };
  return step(signal, (inner) => pool.write([object], inner));
}

/** Removes the probe, even after an interruption. */
async function remove(
  checks: AreaChecks,
  name: string,
  pool: CephPool,
  probe: ObjectName,
): Promise<void> {
  try {
    await answer(undefined, (signal) => pool.remove(packNames([probe]), signal));
  } catch (error) {
    // The write was denied, so there is nothing to clean up.
    if (error instanceof CephError && error.code === "CEPH_DENIED") return;
    const { detail, hint, settings } = wordsOf(error, "ceph");
    const more = `remove the object ${quoted(probe.name)} by hand`;
    checks.failed(
      `probe in ${name}`,
      detail,
      hint === undefined ? more : `${hint}; ${more}`,
      settings,
    );
  }
}
