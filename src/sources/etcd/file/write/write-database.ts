import { randomBytes } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { throwIfAborted } from "../../../../errors.js";
import type { EtcdRevision } from "../../history.js";
import type { EtcdLease } from "../../types.js";
import { BUCKET_BYTES, type Bucket, type DatabaseFacts, type EtcdDatabase } from "../database.js";
import { EtcdFileError } from "../errors.js";
import { encodeDeletion, KeyValueFields } from "../key-value.js";
import { encodeLease } from "../lease.js";
import { logEntries } from "../log-entries.js";
import { PAGE_HEADER_BYTES } from "../page.js";
import { encodeRevisionKey } from "../revision-key.js";
import type { TreeRoot } from "../tree.js";
import { writeUint64 } from "../uint64.js";
import { EarlySync } from "./early-sync.js";
import { LeasePlan } from "./lease-plan.js";
import { PageAppender } from "./page-appender.js";
import { continueTree, copyTree } from "./right-edge.js";
import { sealSnapshot } from "./seal-snapshot.js";
import { TreeBuilder } from "./tree-builder.js";
import { usedPart } from "./used-pages.js";

/**
 * How a database is written. `patch`: the base is copied, and new pages are appended. `truncate`: likewise, without the
 * changes of later revisions. `repack`: every page is written anew, where the base has much that is free or too late.
 */
export type WriteMethod = "patch" | "truncate" | "repack";

export interface WriteOptions {
  /** The revision whose database is written. */
  readonly revision: number;
  /** etcd's compact revision at that revision, where the log says so; a lower one than that of the base does nothing. */
  readonly compactRevision?: number | undefined;
  /** Revisions to skip, so that etcd goes on higher than any revision that a client has seen. */
  readonly bump?: number | undefined;
  /** TTL in seconds of a lease that a key has and nothing else names. */
  readonly unknownLeaseTtlSeconds: number;
  /** Granted TTLs in seconds of leases that neither base nor log name, such as those of earlier logs. */
  readonly fixedLeases?: ReadonlyMap<bigint, number> | undefined;
  /** By default the one that writes less. */
  readonly method?: WriteMethod | undefined;
  readonly signal: AbortSignal;
  /** Called with the number of bytes that were written since the last call. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

export interface WrittenDatabase {
  /** Bytes of the file, with the SHA-256 at its end. */
  readonly bytes: number;
  /** SHA-256 of the whole file, hexadecimal. */
  readonly sha256: string;
  /** The revision that etcd is at when it starts on the file: with the bump. */
  readonly revision: number;
  readonly compactRevision: number;
  readonly method: WriteMethod;
  /** Leases that got `unknownLeaseTtlSeconds`. */
  readonly unknownLeases: number;
}

/** A base of which less is in use is written anew. */
const LEAST_USED = 0.5;
/** Old members have no place in a new cluster: with them, `etcdctl snapshot restore` deletes keys named like their ids. */
const EMPTIED = ["members", "members_removed"];

/**
 * Writes the database of a revision as a snapshot that `etcdctl snapshot restore` takes.
 *
 * @param log the revisions after the base in ascending order; it is not read where the base holds the revision
 * @param out path of a new file; it is removed after a failure
 * @throws EtcdFileError, InterruptedError
 */
export async function writeDatabase(
  base: EtcdDatabase,
  log: AsyncIterable<readonly EtcdRevision[]>,
  out: string,
  options: WriteOptions,
): Promise<WrittenDatabase> {
  throwIfAborted(options.signal);
  const facts = await base.facts(options.signal);
  checkRevision(base, facts, options);
  const handle = await open(out, "wx+", 0o600).catch((error) => {
    throw ioError(out, error);
  });
  try {
    const sync = new EarlySync(handle);
    const onProgress = (bytes: number): void => {
      sync.wrote(bytes);
      options.onProgress?.(bytes);
    };
    const writer = new DatabaseWriter(base, facts, handle, { ...options, onProgress });
    const written = await writer.run(log);
    await sync.finish();
    await handle.close();
    return written;
  } catch (error) {
    await handle.close();
    await rm(out, { force: true });
    throw ioError(out, error);
  }
}

/** What the system says, with the name of the file; every other error as it is. */
function ioError(out: string, error: unknown): unknown {
  if (!(error instanceof Error && "syscall" in error)) return error;
  const problem = `cannot be written: ${error.message}`;
  return new EtcdFileError("ETCD_FILE_IO", out, problem, { cause: error });
}

function checkRevision(
  base: EtcdDatabase,
  { compactRevision }: DatabaseFacts,
  { revision, compactRevision: later = 0, bump = 0, unknownLeaseTtlSeconds: ttl }: WriteOptions,
): void {
  const fail = (problem: string): never => {
    throw new EtcdFileError("ETCD_FILE_REVISION", base.where, problem);
  };
  if (revision < compactRevision) {
    fail(`no longer holds revision ${revision}: it is compacted up to ${compactRevision}`);
  }
  if (later > revision) fail(`a compaction at ${later} is after revision ${revision}`);
  if (!Number.isSafeInteger(bump) || bump < 0 || !Number.isSafeInteger(revision + bump)) {
    fail(`revision ${revision} cannot be raised by ${bump}`);
  }
  if (!Number.isSafeInteger(ttl) || ttl <= 0) throw new RangeError(`a TTL of ${ttl} seconds`);
}

class DatabaseWriter {
  readonly #base: EtcdDatabase;
  readonly #facts: DatabaseFacts;
  readonly #handle: FileHandle;
  readonly #options: WriteOptions;

  constructor(base: EtcdDatabase, facts: DatabaseFacts, handle: FileHandle, options: WriteOptions) {
    this.#base = base;
    this.#facts = facts;
    this.#handle = handle;
    this.#options = options;
  }

  async run(log: AsyncIterable<readonly EtcdRevision[]>): Promise<WrittenDatabase> {
    const { revision, bump = 0, signal, onProgress = () => {} } = this.#options;
    const method = this.#options.method ?? (await this.#chooseMethod());
    const { pageSize, pageCount } = this.#base.pages;
    const kept = method === "repack" ? undefined : pageCount;
    const appender = new PageAppender(this.#handle, pageSize, kept ?? 2, onProgress);
    try {
      const { leases, unknown, key } = await this.#writeChanges(log, appender, method);
      const roots = new Map<string, TreeRoot>([
        ["key", key],
        ["lease", await this.#writeLeases(leases, appender, method)],
        ["meta", await this.#writeMeta(appender)],
      ]);
      for (const name of EMPTIED) {
        if (this.#base.bucket(name) !== undefined) roots.set(name, emptyBucket());
      }
      const root = await this.#writeBuckets(roots, appender, method);
      await appender.flush();
      const snapshot = await sealSnapshot(this.#handle, this.#base, {
        root,
        keptPages: kept,
        pageCount: appender.nextPage,
        signal,
        onProgress,
      });
      return {
        ...snapshot,
        revision: revision + bump,
        compactRevision: bump > 0 ? revision + bump : this.#compactRevision,
        method,
        unknownLeases: unknown,
      };
    } finally {
      await appender.settled();
    }
  }

  get #compactRevision(): number {
    return Math.max(this.#facts.compactRevision, this.#options.compactRevision ?? 0);
  }

  async #chooseMethod(): Promise<WriteMethod> {
    const { revision } = this.#options;
    if ((await usedPart(this.#base, revision)) < LEAST_USED) return "repack";
    return revision < this.#facts.revision ? "truncate" : "patch";
  }

  async #writeChanges(
    log: AsyncIterable<readonly EtcdRevision[]>,
    appender: PageAppender,
    method: WriteMethod,
  ): Promise<{ key: TreeRoot; leases: EtcdLease[]; unknown: number }> {
    const { revision, bump = 0, signal, fixedLeases = new Map() } = this.#options;
    const { where } = this.#base;
    const plan = await LeasePlan.of(this.#base, fixedLeases, signal);
    const fields = new KeyValueFields();
    if (revision < this.#facts.revision) await this.#scanBase(plan, fields);
    const tree =
      method === "repack"
        ? await copyTree(this.#base, revision, appender, signal)
        : await continueTree(this.#base, revision, appender);
    const range = { after: this.#facts.revision, upTo: revision, where };
    for await (const { entries, leases } of logEntries(log, range)) {
      throwIfAborted(signal);
      for (const lease of leases) plan.add(lease);
      for (const entry of entries) {
        fields.read(entry.value);
        plan.change(fields, entry.deleted);
        tree.add(encodeRevisionKey(entry, entry.deleted), entry.value);
      }
      await appender.ready();
    }
    if (bump > 0) {
      // A deletion of a key that never was: it leaves nothing behind when it is compacted.
      const never = Buffer.concat([Buffer.from("backuptool/bump/"), randomBytes(16)]);
      const main = revision + bump;
      tree.add(encodeRevisionKey({ main, sub: 0 }, true), encodeDeletion(never));
    }
    const key = await tree.finish({ mayBeInline: true });
    return { key, ...plan.finish(this.#options.unknownLeaseTtlSeconds) };
  }

  /** Looks for leases of the base's changes up to the revision: some may have ended since, and are not in the base. */
  async #scanBase(plan: LeasePlan, fields: KeyValueFields): Promise<void> {
    const { revision, signal } = this.#options;
    for await (const entries of this.#base.entries(signal)) {
      for (const { main, deleted, value } of entries) {
        if (main > revision) return;
        if (!fields.read(value)) {
          throw this.#base.damaged(`a change of revision ${main} is damaged`);
        }
        plan.change(fields, deleted);
      }
    }
  }

  async #writeLeases(
    added: readonly EtcdLease[],
    appender: PageAppender,
    method: WriteMethod,
  ): Promise<TreeRoot> {
    const bucket = this.#base.bucket("lease");
    if (added.length === 0 && method !== "repack" && bucket !== undefined) return bucket.root;
    const sorted = added.map(encodeLease).sort((a, b) => Buffer.compare(a.key, b.key));
    return await this.#mergeInto(bucket, sorted, appender);
  }

  async #writeMeta(appender: PageAppender): Promise<TreeRoot> {
    const { revision, bump = 0 } = this.#options;
    const finished = this.#compactRevision;
    const scheduled = bump > 0 ? revision + bump : finished;
    const entries: { key: Buffer; value: Buffer }[] = [];
    const set = (name: string, main: number): void => {
      if (main === 0) return;
      entries.push({ key: Buffer.from(name), value: encodeRevisionKey({ main, sub: 0 }) });
    };
    // etcd 3.4 forgets the revision of a compaction that is scheduled and not finished, and its last change was a deletion.
    set("finishedCompactRev", finished);
    set("scheduledCompactRev", scheduled);
    return await this.#mergeInto(this.#base.bucket("meta"), entries, appender);
  }

  /** Writes a bucket with more entries, which replace those of the same key. */
  async #mergeInto(
    bucket: Bucket | undefined,
    entries: readonly { readonly key: Buffer; readonly value: Buffer }[],
    appender: PageAppender,
  ): Promise<TreeRoot> {
    const builder = new TreeBuilder(appender);
    let next = 0;
    const addBelow = (key: Buffer | undefined): void => {
      for (; ; next++) {
        const entry = entries[next];
        if (entry === undefined) return;
        if (key !== undefined && Buffer.compare(entry.key, key) >= 0) return;
        builder.add(entry.key, entry.value);
      }
    };
    const leaves =
      bucket === undefined ? [] : this.#base.bucketLeaves(bucket, this.#options.signal);
    for await (const batch of leaves) {
      for (const leaf of batch) {
        for (let i = 0; i < leaf.count; i++) {
          const key = leaf.key(i);
          addBelow(key);
          const isReplaced = entries[next]?.key.equals(key) === true;
          if (!isReplaced) builder.add(key, leaf.value(i), leaf.isBucket(i));
        }
      }
      await appender.ready();
    }
    addBelow(undefined);
    return await builder.finish({ mayBeInline: true });
  }

  /** Writes the bucket of all buckets. */
  async #writeBuckets(
    written: ReadonlyMap<string, TreeRoot>,
    appender: PageAppender,
    method: WriteMethod,
  ): Promise<number> {
    const buckets = new Map<string, Buffer>();
    for (const bucket of this.#base.buckets) {
      const name = bucket.name.toString("latin1");
      const isCopied = method === "repack" && !written.has(name);
      const root = isCopied ? await this.#mergeInto(bucket, [], appender) : bucket.root;
      buckets.set(name, encodeBucket(written.get(name) ?? root, bucket.sequence));
    }
    for (const [name, root] of written) {
      if (!buckets.has(name)) buckets.set(name, encodeBucket(root, 0n));
    }
    const builder = new TreeBuilder(appender);
    for (const name of [...buckets.keys()].sort()) {
      builder.add(Buffer.from(name, "latin1"), buckets.get(name) ?? Buffer.alloc(0), true);
    }
    const root = await builder.finish({ mayBeInline: false });
    if (typeof root === "number") return root;
    throw new TypeError("the root of a database is a page");
  }
}

function encodeBucket(root: TreeRoot, sequence: bigint): Buffer {
  const bucket = Buffer.alloc(BUCKET_BYTES);
  bucket.writeBigUInt64LE(sequence, 8);
  if (typeof root !== "number") return Buffer.concat([bucket, root]);
  writeUint64(bucket, 0, root);
  return bucket;
}

/** A page of no entries: a leaf. */
function emptyBucket(): Buffer {
  const page = Buffer.alloc(PAGE_HEADER_BYTES);
  page.writeUInt16LE(2, 8);
  return page;
}
