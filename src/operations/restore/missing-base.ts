import type { BackupReader } from "../../archive/backup-reader.js";
import { ArchiveError } from "../../archive/errors.js";
import { INDEX_NAME } from "../../archive/format.js";
import type { IndexedKey, IndexedObject } from "../../archive/index/index-items.js";
import { quoted } from "../../quoted.js";
import { ENOENT } from "../../sources/ceph/errors.js";
import { packNames } from "../../sources/ceph/name-batch.js";
import { lastRecords } from "../../archive/index/last-records.js";
import { type RestoreTarget, unlessDenied } from "./target.js";

/** Most objects of each pool, and keys, to look up in the target. */
const SAMPLE = 256;

/** A warning that the target lacks the base of an incremental. */
export interface MissingBase {
  readonly message: string;
  /** Names of the settings that the message is about. */
  readonly settings?: readonly string[];
  /** False when the target cannot be read. */
  readonly certain: boolean;
}

/**
 * Looks in the target for the base of an incremental: a sample of the objects and keys of its index that only the base
 * holds. Undefined when the target has them. Throws DAMAGED for the index, unless `withIndex` is false.
 */
export async function missingBase(
  backup: BackupReader,
  target: RestoreTarget,
  { withIndex, signal }: { readonly withIndex: boolean; readonly signal: AbortSignal },
): Promise<MissingBase | undefined> {
  try {
    return await findMissing(backup, target, signal);
  } catch (error) {
    const indexDamaged = error instanceof ArchiveError && error.file === INDEX_NAME;
    if (withIndex || !indexDamaged) throw error;
    const message = `${backup.where} is an incremental; whether the target holds its base is not known, since ${INDEX_NAME} is damaged: ${error.message}`;
    return { message, certain: false };
  }
}

async function findMissing(
  backup: BackupReader,
  target: RestoreTarget,
  signal: AbortSignal,
): Promise<MissingBase | undefined> {
  const { base } = backup.metadata;
  const { objects, keys } = await sampleOf(backup, target, signal);
  const missing: string[] = [];
  let denied = false;
  for (const [name, sample] of objects) {
    const pool = target.pools?.target(name);
    if (pool === undefined) continue;
    const found = await unlessDenied(() => pool.stat(packNames(sample.items), signal));
    if (found === undefined) {
      denied = true;
      continue;
    }
    const differing = sample.items.filter(({ size }, i) =>
      found.errno[i] === 0 ? found.size[i] !== size : found.errno[i] === ENOENT,
    );
    denied ||= found.errno.some((code) => code !== 0 && code !== ENOENT);
    if (differing.length > 0) {
      missing.push(`${differing.length} of ${sample.items.length} objects of pool ${quoted(name)}`);
    }
  }
  const wanted = keys.items.map(({ key }) => key);
  const there = await unlessDenied(() => target.etcd?.countExisting(wanted, signal));
  // Keys also vanish when their leases expire.
  if (there !== undefined && there < wanted.length / 2) {
    missing.push(`${wanted.length - there} of ${wanted.length} keys`);
  }
  denied ||= there === undefined && wanted.length > 0;
  const hint = "restore the base first, or name it";
  const settings = ["with-base"];
  if (missing.length > 0) {
    const message = `${backup.where} is an incremental over backup ${base}, which the target does not hold: of what was looked for, ${missing.join(" and ")} of the base are missing or differ. Only what the incremental itself holds is restored; ${hint}`;
    return { message, settings, certain: true };
  }
  if (!denied) return undefined;
  const message = `${backup.where} is an incremental, and only what changed since its base ${base} is restored; whether the target holds the base is not known, since it may not be read; ${hint}`;
  return { message, settings, certain: false };
}

/** A uniform random sample of the items that are added. */
class Sample<T> {
  readonly items: T[] = [];
  #seen = 0;

  add(item: T): void {
    this.#seen++;
    if (this.items.length < SAMPLE) this.items.push(item);
    else {
      const at = Math.floor(Math.random() * this.#seen);
      if (at < SAMPLE) this.items[at] = item;
    }
  }
}

/** Samples of the items that only the base holds; objects by the names of their pools in the backup. */
async function sampleOf(
  backup: BackupReader,
  { etcd, pools }: RestoreTarget,
  signal: AbortSignal,
): Promise<{ objects: Map<string, Sample<IndexedObject>>; keys: Sample<IndexedKey> }> {
  const objects = new Map<string, Sample<IndexedObject>>();
  const keys = new Sample<IndexedKey>();
  const names = new Map<number, string>();
  for await (const items of lastRecords(backup, signal)) {
    for (const item of items) {
      if (item.kind === "pool") names.set(item.pool, item.name);
      if (item.kind === "key" && item.backup > 0 && etcd !== undefined) keys.add(item);
      if (item.kind !== "object" || item.backup === 0) continue;
      const name = names.get(item.pool);
      if (name === undefined || pools?.target(name) === undefined) continue;
      const sample = objects.get(name) ?? new Sample<IndexedObject>();
      objects.set(name, sample);
      sample.add(item);
    }
  }
  return { objects, keys };
}
