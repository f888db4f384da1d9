import { randomBytes } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { throwIfAborted } from "../../../../errors.js";
import type { EtcdRevision } from "../../history.js";
import type { EtcdLease } from "../../types.js";
import { BUCKET_BYTES, type Bucket, type DatabaseFacts, type EtcdDatabase } from "../database.js";
import { encodeDeletion, KeyValueFields } from "../key-value.js";
import { encodeLease } from "../lease.js";
import { logEntries } from "../log-entries.js";
import { PAGE_HEADER_BYTES } from "../page.js";
import { encodeRevisionKey } from "../revision-key.js";
import type { TreeRoot } from "../tree.js";
import { writeUint64 } from "../uint64.js";
import { LeasePlan } from "./lease-plan.js";
import { PageAppender } from "./page-appender.js";
import { continueTree, copyTree } from "./right-edge.js";
import { sealSnapshot } from "./seal-snapshot.js";
import { TreeBuilder } from "./tree-builder.js";
import { usedPart } from "./used-pages.js";
import type { WriteMethod, WriteOptions, WrittenDatabase } from "./write-options.js";

export interface WriterOptions extends WriteOptions {
  /** Whether the file is that of the base, which becomes the new database. */
  readonly isBase?: boolean | undefined;
}

/** A base of which less is in use is written anew. */
const LEAST_USED = 0.5;
/** Old members have no place in a new cluster: with them, `etcdctl snapshot restore` deletes keys named like their ids. */
const EMPTIED = ["members", "members_removed"];

/** The method that writes less. */
export async function chooseMethod(
  base: EtcdDatabase,
  facts: DatabaseFacts,
  revision: number,
): Promise<WriteMethod> {
  if ((await usedPart(base, revision)) < LEAST_USED) return "repack";
  return revision < facts.revision ? "truncate" : "patch";
}

/** Writes one database into a file. */
export class DatabaseWriter {
  readonly #base: EtcdDatabase;
  readonly #facts: DatabaseFacts;
  readonly #handle: FileHandle;
  readonly #options: WriterOptions;

  constructor(
    base: EtcdDatabase,
    facts: DatabaseFacts,
    handle: FileHandle,
    options: WriterOptions,
  ) {
    this.#base = base;
    this.#facts = facts;
    this.#handle = handle;
    this.#options = options;
  }

  async run(log: AsyncIterable<readonly EtcdRevision[]>): Promise<WrittenDatabase> {
    const { revision, bump = 0, signal, onProgress = () => {} } = this.#options;
    const { isBase = false } = this.#options;
    const method = this.#options.method ?? (await chooseMethod(this.#base, this.#facts, revision));
    if (isBase && method === "repack") {
      throw new TypeError("a base cannot be written anew into its own file");
    }
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
        isBase,
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
