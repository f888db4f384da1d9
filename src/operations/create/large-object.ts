import type { BackupWriter } from "../../archive/backup-writer.js";
import type { EntryName } from "../../archive/tar/entry-path.js";
import type { Place } from "../../archive/index/index-items.js";
import { quoted } from "../../quoted.js";
import { CephError } from "../../sources/ceph/errors.js";
import { packNames } from "../../sources/ceph/name-batch.js";
import type { CephPool } from "../../sources/ceph/pool.js";
import type { Pair, ReadObject } from "../../sources/ceph/types.js";
import { byBytes } from "../../flow/by-bytes.js";

/** Reads of an object that changes each time, before the backup fails or leaves it out. */
const ATTEMPTS = 10;
/** Approximate bytes of pairs in one entry. */
const OMAP_PAGE_BYTES = 4 << 20;

interface ArchivedState {
  readonly size: number;
  readonly mtime: bigint;
  readonly version: bigint;
  readonly place: Place;
}

/**
 * Archives an object that takes more than one read. When it changes meanwhile, its entries are marked as torn and it is
 * read again. Undefined when it was deleted meanwhile.
 *
 * @throws CephError when it cannot be read; with `keepGoing` the archive can then go on without it
 */
export async function archiveLargeObject(
  writer: BackupWriter,
  pool: CephPool,
  name: EntryName,
  first: ReadObject,
  options: { readonly keepGoing: boolean; readonly signal: AbortSignal },
): Promise<ArchivedState | undefined> {
  let object: ReadObject | undefined = first;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (object === undefined) return undefined;
    const { size, mtime, version } = object;
    const place = await writer.place(size);
    if (await attemptOnce(writer, pool, name, object, options)) {
      return { size, mtime, version, place };
    }
    object = await readAgain(pool, name, options.signal);
  }
  object?.release();
  throw new CephError(
    "CEPH_OBJECT_CHANGED",
    `ceph: object ${quoted(name.name)} in pool ${quoted(name.pool)} changed each of ${ATTEMPTS} times that it was read`,
    { operation: "read", pool: name.pool, object: name.name },
    {
      hint: "run it again when the object is written less, or keep going without it",
      settings: ["keep-going"],
    },
  );
}

async function attemptOnce(
  writer: BackupWriter,
  pool: CephPool,
  name: EntryName,
  object: ReadObject,
  { keepGoing, signal }: { readonly keepGoing: boolean; readonly signal: AbortSignal },
): Promise<boolean> {
  const { size, mtime, version } = object;
  let written = -1;
  let released = false;
  try {
    const [first = [], ...further] = omapPages(object.omap);
    if (object.xattrs.length > 0 || object.omapHeader.length > 0 || first.length > 0) {
      writer.attributes(name, { ...object, omap: first });
    }
    let page = 1;
    for (const pairs of further) writer.omapPage(name, page++, pairs);
    if (object.omapMore) {
      const after = object.omap.at(-1)?.[0] ?? new Uint8Array(0);
      for await (const pairs of pool.readOmap(name, { version, after, signal })) {
        for (const part of omapPages(pairs)) {
          writer.omapPage(name, page++, part);
          await writer.ready();
        }
      }
    }
    writer.beginData(name, size, mtime);
    written = object.data.length;
    released = true;
    writer.data(object.data, () => object.release());
    if (written < size) {
      for await (const page of pool.readData(name, { version, offset: written, size, signal })) {
        written += page.length;
        writer.data(page, () => page.release());
        await writer.ready();
      }
    }
    writer.endData();
    return true;
  } catch (error) {
    if (!released) object.release();
    const changed = error instanceof CephError && error.code === "CEPH_OBJECT_CHANGED";
    if (!changed && !(keepGoing && error instanceof CephError)) throw error;
    if (written >= 0) {
      await writer.fill(size - written);
      writer.endData();
    }
    writer.torn(name);
    if (!changed) throw error;
    return false;
  }
}

/** Pages that fit in an entry of the archive: values of an omap may be large. */
function omapPages(pairs: readonly Pair[]): (readonly Pair[])[] {
  return [...byBytes(pairs, OMAP_PAGE_BYTES, bytesOfPair)];
}

function bytesOfPair([key, value]: Pair): number {
  return key.length + value.length;
}

/** Whether an object's omap does not fit in one entry. */
export function hasLongOmap({ omap, omapMore }: ReadObject): boolean {
  return omapMore || omap.reduce((sum, pair) => sum + bytesOfPair(pair), 0) > OMAP_PAGE_BYTES;
}

async function readAgain(
  pool: CephPool,
  name: EntryName,
  signal: AbortSignal,
): Promise<ReadObject | undefined> {
  let found: ReadObject | undefined;
  for await (const group of pool.read([packNames([name])], { memoryBytes: 8 << 20, signal })) {
    const failure = group.failures[0];
    if (failure !== undefined) throw failure.error;
    found ??= group.objects[0];
  }
  return found;
}
