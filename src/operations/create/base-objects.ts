import type { BackupReader } from "../../archive/backup-reader.js";
import { mostIndexedObjects } from "../../archive/metadata.js";
import { ObjectTable } from "../../archive/index/object-table.js";
import type { BackupRun } from "./run.js";
import { TombstonePages } from "./tombstones.js";

/** The objects of the base in `pools`, under the ordinal of their pool in that list. */
export async function loadBaseObjects(
  base: BackupReader,
  pools: readonly string[],
  signal: AbortSignal,
): Promise<ObjectTable> {
  const table = new ObjectTable(mostIndexedObjects(base.metadata.counts));
  const ordinals = new Map<number, number>();
  for await (const items of base.readIndex({ signal })) {
    for (const item of items) {
      if (item.kind === "pool") ordinals.set(item.pool, pools.indexOf(item.name));
      if (item.kind !== "object") continue;
      const pool = ordinals.get(item.pool) ?? -1;
      if (pool >= 0) table.set(pool, item, item);
    }
  }
  return table;
}

/** Writes tombstones of the objects of the base without a mark; returns how many. */
export async function writeObjectTombstones(
  run: BackupRun,
  table: ObjectTable,
  pools: readonly string[],
): Promise<number> {
  if (run.base === undefined) return 0;
  const names = new Map<number, string>();
  const tombstones = new TombstonePages(run.writer);
  for await (const items of run.base.readIndex({ signal: run.context.signal })) {
    for (const item of items) {
      if (item.kind === "pool") names.set(item.pool, item.name);
      if (item.kind !== "object") continue;
      const pool = names.get(item.pool) ?? "";
      const ordinal = pools.indexOf(pool);
      if (ordinal < 0) continue;
      const slot = table.find(ordinal, item);
      if (slot === undefined || table.isMarked(slot)) continue;
      const { namespace, locator, name } = item;
      await tombstones.add({ kind: "object", pool, namespace, locator, name });
    }
  }
  await tombstones.flush();
  return tombstones.written;
}
