import type { PassphraseKeys } from "../crypto/backup-keys.js";
import { Chunk } from "../seal/chunk-reader.js";
import type { ArchiveItem, ArchiveItems } from "../contents.js";
import { ArchiveError, type ArchivePlace, damaged } from "../errors.js";
import { archiveName, METADATA_NAME } from "../format.js";
import type { ArchivedPair, ArchivedRecord } from "../records.js";
import { openRegularFile } from "../regular-file.js";
import { listArchives } from "./folder.js";
import { deriveOriginalKey, FRAME_HEADER_BYTES, FrameType, POOLS_NAME } from "./format.js";
import type { ContentPrefix } from "./frame-jobs.js";
import { FrameOpener } from "./frame-opener.js";
import { FrameFile, isMissing, withFrames } from "./frames.js";
import { readMetadataFile } from "./metadata-file.js";
import { type FramePlace, ObjectTimes } from "./object-times.js";
import {
  asDamage,
  type OriginalObject,
  type OriginalTime,
  readObject,
  readRecords,
} from "./payloads.js";
import { readPools } from "./pools-file.js";

/** Bytes of an object in one item. */
const PIECE_BYTES = 1 << 20;
const NO_LOCATOR = new Uint8Array(0);
/** Most objects with differing contents that are named; more are only counted. */
const MAX_NAMED = 100;

/** An item of an ARCHIVE file. */
export type OriginalItem =
  | {
      readonly kind: "object";
      readonly object: OriginalObject;
      /** Nanoseconds since 1970; undefined when METADATA.bin does not have it. */
      readonly mtime: bigint | undefined;
      /** `same` and `other`: repeats an object, with the same frame or another one. */
      readonly occurrence: "first" | "same" | "other";
      readonly prefixes: readonly ContentPrefix[];
      readonly offset: number;
    }
  | {
      readonly kind: "records";
      readonly pages: Iterable<ArchivedPair[]>;
      readonly offset: number;
    };

/** The facts of an archive before its ARCHIVE files are decrypted. */
interface OriginalSummary {
  readonly folder: string;
  /** Names of the ARCHIVE files, in order. */
  readonly archives: readonly string[];
  /** Objects in the ARCHIVE files. */
  readonly objects: number;
  /** Whether it holds etcd records: then all of them, even in an incremental. */
  readonly holdsEtcd: boolean;
  /** Of all files, bytes. */
  readonly sealedBytes: number;
  /** Whether METADATA.bin exists. */
  readonly hasMetadata: boolean;
  /** Names of the pools in pools.txt and METADATA.bin, or else those of the objects. */
  readonly pools: readonly string[];
  /** What is missing, for the user. */
  readonly gaps: readonly string[];
}

/** Faults that were found while the ARCHIVE files were read. */
interface OriginalFindings {
  /** Frames that repeat an object. */
  again: number;
  /** Those with other contents. */
  otherwise: number;
  /** The first objects with other contents. */
  readonly others: Omit<OriginalTime, "mtime">[];
  /** Records out of key order. */
  backwards: number;
}

/** An archive of the original tool, whose frames were counted and whose METADATA.bin was opened. */
export class OriginalBackup {
  readonly findings: OriginalFindings = { again: 0, otherwise: 0, others: [], backwards: 0 };
  /** Objects that METADATA.bin does not name; undefined until there is one. */
  #unnamed: ObjectTimes | undefined;
  #lastKey: Uint8Array | undefined;
  readonly #opener: FrameOpener;

  private constructor(
    readonly summary: OriginalSummary,
    /** The mtimes of objects in METADATA.bin. */
    readonly times: ObjectTimes,
    opener: FrameOpener,
  ) {
    this.#opener = opener;
  }

  /**
   * Reads the headers of all frames, and opens METADATA.bin. Opens all frames when only the objects name the pools. Throws
   * WRONG_PASSPHRASE, MISSING_FILE and DAMAGED.
   */
  static async open(
    folder: string,
    passphrase: PassphraseKeys,
    signal?: AbortSignal,
  ): Promise<OriginalBackup> {
    const archives = await listArchives(folder);
    const gaps: string[] = [];
    const scan = { objects: 0, records: 0, sealedBytes: 0 };
    for (const name of archives) {
      await withFrames(folder, name, async (file) => {
        scan.sealedBytes += file.size;
        for await (const { type, number } of file.frames()) {
          if (type === FrameType.object) scan.objects++;
          else if (type === FrameType.records) scan.records++;
          else throw damaged("a frame of another file", { file: name, chunk: number });
        }
      });
    }
    const opener = await openerOf(folder, archives, passphrase);
    try {
      const metadata = await readMetadataFile(folder, opener);
      const { pools, gap } = await readPools(folder);
      if (gap !== undefined) gaps.push(gap);
      if (metadata === undefined) {
        gaps.push(
          `${METADATA_NAME} is missing: the number of files and objects and the times of the objects are unknown`,
        );
      } else {
        checkFiles(archives.length, metadata.files);
        const lost = metadata.times.count - scan.objects;
        if (lost > 0) {
          gaps.push(
            `${METADATA_NAME} names ${metadata.times.count} objects, but the ARCHIVE files hold ${scan.objects}`,
          );
        }
      }
      const times = metadata?.times ?? new ObjectTimes(0);
      const named = [...new Set([...pools, ...times.pools])];
      const unnamed = named.length === 0 && scan.objects > 0;
      return new OriginalBackup(
        {
          folder,
          archives,
          objects: scan.objects,
          holdsEtcd: scan.records > 0,
          sealedBytes: scan.sealedBytes + (metadata?.sealedBytes ?? 0),
          hasMetadata: metadata !== undefined,
          pools: unnamed ? await poolsOfObjects(folder, archives, opener, signal) : named,
          gaps,
        },
        times,
        opener,
      );
    } catch (error) {
      await opener.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#opener.close();
  }

  /**
   * The items of the ARCHIVE file `number`; `prefixes` are empty unless `withPrefixes`. The first of repeated objects
   * counts. After all files, `times` has the objects that are missing, and `findings` other faults. Throws DAMAGED.
   */
  async *items(
    number: number,
    options: { withPrefixes?: boolean; signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<OriginalItem> {
    const name = archiveName(number);
    const handle = await openRegularFile(this.summary.folder, name);
    try {
      const file = new FrameFile(name, (await handle.stat()).size, handle);
      for await (const { frame, plain, prefixes } of this.#opener.open(file, options)) {
        const place = { file: name, chunk: frame.number };
        const offset = frame.at;
        if (frame.type === FrameType.records) {
          yield {
            kind: "records",
            pages: this.#inOrder(checked(readRecords(plain), place)),
            offset,
          };
        } else {
          const object = asDamage(place, () => readObject(plain));
          if (!this.summary.pools.includes(object.pool)) {
            throw damaged(`it is of a pool that ${POOLS_NAME} does not name`, place);
          }
          const mtime = this.times.of(object);
          const from = { file: number, number: frame.number, offset: offset - FRAME_HEADER_BYTES };
          const occurrence = await this.#occurrence(object, plain, from);
          yield { kind: "object", object, mtime, occurrence, prefixes, offset };
        }
      }
    } finally {
      await handle.close();
    }
  }

  async #occurrence(
    { pool, namespace, name }: OriginalObject,
    plain: Buffer,
    place: FramePlace,
  ): Promise<"first" | "same" | "other"> {
    const object = { pool, namespace, name };
    let known = this.times;
    if (known.of(object) === undefined) {
      this.#unnamed ??= new ObjectTimes(this.summary.objects);
      known = this.#unnamed;
      if (known.of(object) === undefined) known.add({ ...object, mtime: 0n });
    }
    const first = known.markSeen(object, place);
    if (first === undefined) return "first";
    const { findings } = this;
    findings.again++;
    // Read again: archives without repetitions then need no digest of each object.
    const before = await withFrames(this.summary.folder, archiveName(first.file), async (file) =>
      this.#opener.plain(file, await file.frame(first.offset, first.number)),
    );
    if (before.equals(plain)) return "same";
    findings.otherwise++;
    if (findings.others.length < MAX_NAMED) {
      // Copies: the names are views on the frame.
      findings.others.push({ pool, namespace: Buffer.from(namespace), name: Buffer.from(name) });
    }
    return "other";
  }

  *#inOrder(pages: Iterable<ArchivedPair[]>): Generator<ArchivedPair[]> {
    for (const page of pages) {
      let last = this.#lastKey;
      for (const [key] of page) {
        if (last !== undefined && Buffer.compare(key, last) <= 0) this.findings.backwards++;
        last = key;
      }
      // A copy: a view would keep its frame.
      this.#lastKey = last && Buffer.from(last);
      yield page;
    }
  }

  /** Objects that METADATA.bin names and the ARCHIVE files do not hold, `most` of them at most. */
  async missing(most: number): Promise<OriginalTime[]> {
    const found: OriginalTime[] = [];
    await readMetadataFile(this.summary.folder, this.#opener, (time) => {
      if (found.length < most && !this.times.isSeen(time)) found.push(time);
    });
    return found;
  }

  /** The ARCHIVE file `number` as items of this format, each object once. Throws DAMAGED. */
  async *archiveItems(
    number: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ArchiveItems, void, void> {
    const now = BigInt(Date.now()) * 1_000_000n;
    for await (const item of this.items(number, { signal })) {
      if (item.kind === "records") {
        for (const page of item.pages) {
          const records = page.map(recordOf);
          yield { items: [{ type: "records", records, offset: item.offset }], chunk: NO_CHUNK };
        }
      } else if (item.occurrence === "first") {
        yield* itemsOf(item.object, item.mtime ?? now, item.offset);
      }
    }
  }
}

/** The chunk of items that are not views. */
const NO_CHUNK = new Chunk(Buffer.alloc(0), () => {});

function* itemsOf(
  { pool, namespace, name, content, xattrs, omap: pages }: OriginalObject,
  mtime: bigint,
  offset: number,
): Generator<ArchiveItems> {
  const object = { pool, namespace, locator: NO_LOCATOR, name };
  const chunk = new Chunk(content, () => {});
  const one = (...items: ArchiveItem[]): ArchiveItems => ({ items, chunk });
  const [omap = [], ...more] = pages();
  const attributes = { xattrs, omapHeader: new Uint8Array(0), omap };
  yield one({ type: "attributes", object, attributes, offset });
  for (const pairs of more) yield one({ type: "omap", object, pairs });
  yield one({ type: "data-start", object, size: content.length, mtime, offset });
  for (let at = 0; at < content.length; at += PIECE_BYTES) {
    yield one({ type: "data", bytes: content.subarray(at, at + PIECE_BYTES) });
  }
  yield one({ type: "data-end" });
}

/** The original tool stored keys and values only. */
export function recordOf([key, value]: ArchivedPair): ArchivedRecord {
  return { key, value, createRevision: 0, modRevision: 0, version: 0, lease: 0n };
}

/** Throws WRONG_PASSPHRASE, or UsageError when the rule rejects the passphrase and it opens no frame. */
async function openerOf(
  folder: string,
  archives: readonly string[],
  { forms, rejection }: PassphraseKeys,
): Promise<FrameOpener> {
  let wrong: unknown = rejection;
  for (const form of forms) {
    const opener = new FrameOpener(await form.once("original", deriveOriginalKey));
    try {
      await checkKey(folder, archives, opener);
      return opener;
    } catch (error) {
      await opener.close();
      if (!(error instanceof ArchiveError && error.code === "WRONG_PASSPHRASE")) throw error;
      wrong ??= error;
    }
  }
  throw wrong;
}

/** A frame that does not open means a wrong passphrase or damage; a frame of another file decides. */
async function checkKey(
  folder: string,
  archives: readonly string[],
  opener: FrameOpener,
): Promise<void> {
  const opens = (name: string) => withFrames(folder, name, (file) => opener.opensFirst(file));
  const present: string[] = [];
  for (const name of [METADATA_NAME, ...archives.slice(0, 1)]) {
    try {
      if (await opens(name)) return;
      present.push(name);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  throw new ArchiveError("WRONG_PASSPHRASE", "the first frame does not open with this passphrase", {
    file: present[0] ?? METADATA_NAME,
    hint: "check the passphrase; archives of the original tool do not distinguish a wrong one from damage here",
  });
}

/** Names of the pools of all objects. Throws DAMAGED. */
async function poolsOfObjects(
  folder: string,
  archives: readonly string[],
  opener: FrameOpener,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const pools = new Set<string>();
  for (const name of archives) {
    await withFrames(folder, name, async (file) => {
      for await (const { frame, plain } of opener.open(file, { signal })) {
        if (frame.type !== FrameType.object) continue;
        pools.add(asDamage({ file: name, chunk: frame.number }, () => readObject(plain)).pool);
      }
    });
  }
  return [...pools];
}

function checkFiles(found: number, named: number): void {
  if (found === named) return;
  if (found < named) {
    throw new ArchiveError(
      "MISSING_FILE",
      `it is not there; ${METADATA_NAME} says that there were ${named} ARCHIVE files`,
      { file: archiveName(found) },
    );
  }
  throw damaged(`one more than the ${named} ARCHIVE files that ${METADATA_NAME} says there were`, {
    file: archiveName(named),
  });
}

function* checked<T>(pages: Generator<T>, place: ArchivePlace): Generator<T> {
  for (;;) {
    const next = asDamage(place, () => pages.next());
    if (next.done) return;
    yield next.value;
  }
}
