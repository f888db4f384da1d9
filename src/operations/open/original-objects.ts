import type { EntryName } from "../../archive/tar/entry-path.js";
import type { EntryWriter } from "../../archive/tar/entry-writer.js";
import { METADATA_NAME } from "../../archive/format.js";
import type { OriginalBackup, OriginalItem } from "../../archive/original/original-backup.js";
import { quoted } from "../../quoted.js";
import type { OperationContext } from "../context.js";
import type { ObjectPlace } from "../events.js";

/** Most messages for each kind of fault; more are only counted. */
export const MAX_LINES = 100;

/** Bytes to write before waiting for the writer. */
const PIECE_BYTES = 1 << 20;
const NONE = new Uint8Array(0);

type ObjectItem = Extract<OriginalItem, { kind: "object" }>;

/** The name of an object; the original tool stored no locators. */
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

/**
 * Reports the faults of an archive that was read. Returns whether it holds every object that METADATA.bin names, and none
 * with two different contents.
 */
export async function reportFindings(
  backup: OriginalBackup,
  report: OperationContext["report"],
): Promise<boolean> {
  const { findings, summary, times } = backup;
  const folder = quoted(summary.folder);
  const warn = (message: string) => report({ type: "warning", message });
  if (findings.again > 0) {
    warn(
      `${folder} holds objects more than once: ${findings.again} frames are of one that came before`,
    );
  }
  for (const object of findings.others) {
    warn(
      `${folder} holds the ceph object ${pathOf(object)} again with other contents: the first one counts, and either may be the right one`,
    );
  }
  if (findings.otherwise > findings.others.length) {
    warn(`${findings.otherwise - findings.others.length} more frames have other contents`);
  }
  if (findings.backwards > 0) {
    warn(`the etcd records of ${folder} are not in order: frames were repeated or changed places`);
  }
  const reason = `${METADATA_NAME} of ${folder} names it`;
  const missing = times.missing === 0 ? [] : await backup.missing(MAX_LINES);
  for (const object of missing) report({ type: "missing", ...placeOf(object), reason });
  const more = times.missing - missing.length;
  if (more > 0) warn(`${more} more objects are missing`);
  return findings.otherwise === 0 && times.missing === 0;
}

function pathOf({ pool, namespace, name }: ObjectPlace): string {
  return (namespace.length === 0 ? [pool, name] : [pool, namespace, name]).map(quoted).join("/");
}

/** A copy: the names are views on frames. */
export function placeOf({ pool, namespace, name }: ObjectPlace): ObjectPlace {
  return { pool, namespace: Buffer.from(namespace), name: Buffer.from(name) };
}
