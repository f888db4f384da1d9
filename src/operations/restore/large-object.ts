import type { ArchiveItem } from "../../archive/contents.js";
import type { ArchivedPair, ObjectAttributes } from "../../archive/records.js";
import type { CephPool } from "../../sources/ceph/pool.js";
import type { ObjectName } from "../../sources/ceph/types.js";
import type { ItemCursor } from "./item-cursor.js";

/** The object changed while it was backed up: its items so far are void. */
export class TornObject extends Error {}

/**
 * Writes an object while it is read: further pages of its omap from `first` on, then its mtime and data. Holds one page and
 * one piece at most. Throws TornObject when the archive makes the object void.
 */
export async function restoreLargeObject(
  pool: CephPool,
  name: ObjectName,
  { xattrs, omapHeader, omap }: ObjectAttributes,
  from: {
    readonly first: Extract<ArchiveItem, { type: "omap" | "data-start" }>;
    readonly cursor: ItemCursor;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { first, cursor, signal } = from;
  let setMtime: (ns: bigint) => void = () => {};
  const mtime = new Promise<bigint>((resolve) => {
    setMtime = resolve;
  });
  async function* pages(): AsyncGenerator<readonly ArchivedPair[]> {
    yield omap;
    let item: ArchiveItem | undefined = first;
    for (; item?.type === "omap"; item = await cursor.next()) yield item.pairs;
    if (item?.type !== "data-start") throw new TornObject("the object changed while it was read");
    setMtime(item.mtime);
  }
  async function* pieces(): AsyncGenerator<Uint8Array[]> {
    for (;;) {
      const item = await cursor.next();
      if (item?.type !== "data") return;
      // A copy: the chunk may be reused before the cluster has the piece.
      yield [Buffer.from(item.bytes)];
    }
  }
  await pool.writeLarge(name, { mtime, xattrs, omapHeader, omap: pages(), data: pieces(), signal });
}
