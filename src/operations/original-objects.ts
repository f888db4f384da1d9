import type { EntryName } from "../archive/entry-path.js";
import type { EntryWriter } from "../archive/entry-writer.js";
import { METADATA_NAME } from "../archive/format.js";
import type { OriginalBackup, OriginalItem } from "../archive/original/original-backup.js";
import { quoted } from "../quoted.js";
import type { OperationContext } from "./context.js";
import type { ObjectPlace } from "./events.js";

/** Lines for each kind of thing that is wrong; the rest is counted. */
export const MOST_LINES = 100;

/** Bytes that are written before the writer is asked for room. */
const PIECE_BYTES = 1 << 20;
const NONE = new Uint8Array(0);

type ObjectItem = Extract<OriginalItem, { kind: "object" }>;

/** The name of an object of the original tool, which kept no locators. */
export function entryNameOf({ object }: ObjectItem): EntryName {
  return { pool: object.pool, namespace: object.namespace, locator: NONE, name: object.name };
}

/** Writes an object of the original tool as entries of this format. */
export async function writeOriginalObject(
  writer: EntryWriter,
  item: ObjectItem,
  mtime: bigint,
): Promise<void> {
  const { object } = item;
  const name = entryNameOf(item);
  let page = 0;
  for (const omap of object.omap()) {
    if (page === 0) writer.attributes(name, { xattrs: object.xattrs, omapHeader: NONE, omap });
    else writer.omapPage(name, page, omap);
    page++;
    await writer.ready();
  }
  if (page === 0 && object.xattrs.length > 0) {
    writer.attributes(name, { xattrs: object.xattrs, omapHeader: NONE, omap: [] });
  }
  writer.beginData(name, object.content.length, mtime);
  for (let at = 0; at < object.content.length; at += PIECE_BYTES) {
    writer.copiedData(object.content.subarray(at, at + PIECE_BYTES));
    await writer.ready();
  }
  writer.endData();
}

/** Names the objects that never came although METADATA.bin knows them, once all was read; returns how many. */
export async function reportUnmet(
  backup: OriginalBackup,
  report: OperationContext["report"],
): Promise<number> {
  const { unmet } = backup.times;
  if (unmet === 0) return 0;
  const reason = `${METADATA_NAME} of ${quoted(backup.summary.folder)} names it`;
  for (const object of await backup.unmet(MOST_LINES)) {
    report({ type: "missing", ...placeOf(object), reason });
  }
  if (unmet > MOST_LINES) {
    report({ type: "warning", message: `${unmet - MOST_LINES} more objects are missing` });
  }
  return unmet;
}

/** A copy: the names are views on frames. */
export function placeOf({ pool, namespace, name }: ObjectPlace): ObjectPlace {
  return { pool, namespace: Buffer.from(namespace), name: Buffer.from(name) };
}
