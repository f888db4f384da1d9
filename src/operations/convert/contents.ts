import { CborWriter } from "../../archive/cbor.js";
import { damaged } from "../../archive/errors.js";
import { archiveName } from "../../archive/format.js";
import {
  type OriginalBackup,
  type OriginalItem,
  recordOf,
} from "../../archive/original/original-backup.js";
import { type ArchivedPair, encodeRecord } from "../../archive/records.js";
import { throwIfAborted } from "../../errors.js";
import { BaseRecords } from "../create/base-records.js";
import type { BackupRun } from "../create/run.js";
import { loadBaseObjects } from "../create/base-objects.js";
import { entryNameOf, writeOriginalObject } from "../open/original-objects.js";
import { TombstonePages } from "../create/tombstones.js";

type ObjectItem = Extract<OriginalItem, { kind: "object" }>;

/** Writes the contents of an archive of the original tool into a backup of this format. Returns the names of its pools. */
export async function convertContents(
  backup: OriginalBackup,
  run: BackupRun,
): Promise<readonly string[]> {
  const converter = new ContentsConverter(backup, run);
  await converter.run();
  return converter.pools;
}

class ContentsConverter {
  /** In the order of their ordinals. */
  readonly pools: readonly string[];
  readonly #backup: OriginalBackup;
  readonly #run: BackupRun;
  readonly #batch = new CborWriter();
  readonly #tombstones: TombstonePages;
  #baseRecords: BaseRecords | undefined;
  #lastKey: Uint8Array | undefined;

  constructor(backup: OriginalBackup, run: BackupRun) {
    this.#backup = backup;
    this.#run = run;
    this.pools = [...new Set([...backup.summary.pools, ...(run.base?.metadata.ceph?.pools ?? [])])];
    this.#tombstones = new TombstonePages(run.writer);
  }

  async run(): Promise<void> {
    const { base, context, writer } = this.#run;
    const { signal } = context;
    const table = base && (await loadBaseObjects(base, this.pools, signal));
    if (base !== undefined && this.#backup.summary.holdsEtcd) {
      this.#baseRecords = new BaseRecords(base, signal);
    }
    try {
      for (const [ordinal, name] of this.pools.entries()) writer.indexPool(ordinal, name);
      for (let number = 0; number < this.#backup.summary.archives.length; number++) {
        for await (const item of this.#backup.items(number, { signal })) {
          throwIfAborted(signal);
          if (item.kind === "records") {
            for (const page of item.pages) await this.#records(page, archiveName(number));
          } else {
            await this.#object(item);
            const entry = entryNameOf(item);
            const slot = table?.find(this.pools.indexOf(entry.pool), entry);
            if (slot !== undefined) table?.mark(slot);
          }
          this.#progress();
        }
      }
      await this.#tombstones.addKeys((await this.#baseRecords?.rest()) ?? []);
      await this.#tombstones.flush();
      this.#run.counts.deletedKeys = this.#tombstones.written;
    } finally {
      await this.#baseRecords?.close();
    }
    if (table !== undefined) await this.#keepUnmarked(table);
  }

  async #object(item: ObjectItem): Promise<void> {
    if (item.occurrence !== "first") return;
    const { writer, counts } = this.#run;
    const entry = entryNameOf(item);
    const { content } = item.object;
    const mtime = item.mtime ?? 0n;
    const place = await writer.place(content.length);
    await writeOriginalObject(writer, item, mtime);
    counts.objects++;
    counts.objectBytes += content.length;
    const { namespace, locator, name } = entry;
    writer.indexObject({
      pool: this.pools.indexOf(entry.pool),
      namespace,
      locator,
      name,
      size: content.length,
      mtime,
      // The original tool did not store it, so a later incremental reads the object again.
      version: 0n,
      ...place,
    });
    await writer.ready();
  }

  async #records(page: readonly ArchivedPair[], file: string): Promise<void> {
    const { writer, counts } = this.#run;
    this.#batch.reset();
    for (const pair of page) {
      const [key] = pair;
      if (this.#lastKey !== undefined && Buffer.compare(key, this.#lastKey) <= 0) {
        throw damaged("its etcd records are not in order: frames were repeated or changed places", {
          file,
        });
      }
      this.#lastKey = key;
      await this.#tombstones.addKeys((await this.#baseRecords?.before(key)) ?? []);
      encodeRecord(this.#batch, recordOf(pair));
    }
    const place = await writer.place(this.#batch.length);
    writer.records(this.#batch.view());
    for (const [key] of page) writer.indexKey({ key, modRevision: 0, version: 0, ...place });
    counts.records += page.length;
    await writer.ready();
  }

  /** The original tool did not record deletions: other objects are as in the base. */
  async #keepUnmarked(table: Awaited<ReturnType<typeof loadBaseObjects>>): Promise<void> {
    const { base, counts, writer, context } = this.#run;
    if (base === undefined) return;
    const ordinals = new Map<number, number>();
    for await (const items of base.readIndex({ signal: context.signal })) {
      for (const item of items) {
        if (item.kind === "pool") ordinals.set(item.pool, this.pools.indexOf(item.name));
        if (item.kind !== "object") continue;
        const pool = ordinals.get(item.pool) ?? -1;
        const slot = table.find(pool, item);
        if (slot === undefined || table.isMarked(slot)) continue;
        writer.indexObject({ ...item, pool, backup: item.backup + 1 });
        counts.unchangedObjects++;
      }
      await writer.ready();
    }
  }

  #progress(): void {
    const { counts, context } = this.#run;
    const total = this.#backup.summary.objects;
    const { objects: done, objectBytes: bytes } = counts;
    context.report({ type: "progress", phase: "convert", done, total, unit: "objects", bytes });
  }
}
