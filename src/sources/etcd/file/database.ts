import { throwIfAborted } from "../../../errors.js";
import type { EtcdLease } from "../types.js";
import { EtcdFileError } from "./errors.js";
import { decodeLease } from "./lease.js";
import { readMeta } from "./meta.js";
import type { LeafPage } from "./page.js";
import { PageFile } from "./page-file.js";
import type { RandomAccess } from "./random-access.js";
import { ChangeKeys } from "./change-keys.js";
import { decodeRevisionKey, encodeRevisionKey } from "./revision-key.js";
import { DIGEST_BYTES, hasDigest } from "./snapshot-digest.js";
import { lookUp, pathTo, type TreeRoot, treeLeaves, unordered } from "./tree.js";
import { readUint64 } from "./uint64.js";

/** What a database says of itself. */
export interface DatabaseFacts {
  /** The latest revision: of an empty database 1, as etcd counts. */
  readonly revision: number;
  /** Revisions below it are compacted away; 0 when none is. A compaction that is scheduled counts. */
  readonly compactRevision: number;
  /** Bytes of a page. */
  readonly pageSize: number;
  /** Bytes of the file, with the SHA-256 at its end where it has one. */
  readonly bytes: number;
  /** Index of the last entry of the Raft log in it; undefined where it is not stored. */
  readonly consistentIndex: number | undefined;
  /** Such as 3.4.0; undefined where it is not stored. */
  readonly clusterVersion: string | undefined;
  readonly hasUsers: boolean;
  readonly isAuthEnabled: boolean;
}

/** A change as the database holds it. */
export interface DatabaseEntry {
  /** The revision. */
  readonly main: number;
  /** Index among the changes of the revision. */
  readonly sub: number;
  readonly deleted: boolean;
  /** Message `KeyValue`; of a deletion, with the key alone. A view on up to 1 MiB around it: copy what is kept. */
  readonly value: Buffer;
}

/** A bucket of the database. */
export interface Bucket {
  readonly name: Buffer;
  readonly root: TreeRoot;
  /** bbolt's counter for users of the bucket; etcd has no use for it. */
  readonly sequence: bigint;
}

/** bbolt's `bucket`, before the page of a small one. */
export const BUCKET_BYTES = 16;
/** etcd has about a dozen. */
const MAX_BUCKETS = 1000;
const CLUSTER_VERSION = /^\d{1,9}\.\d{1,9}\.\d{1,9}$/;

/** A database file of etcd: a member's own, or a snapshot. Nothing in it is trusted. */
export class EtcdDatabase {
  readonly file: RandomAccess;
  readonly pages: PageFile;
  /** Id of the last transaction of bbolt. */
  readonly transaction: number;
  /** In the order of their names. */
  readonly buckets: readonly Bucket[];

  private constructor(
    file: RandomAccess,
    pages: PageFile,
    transaction: number,
    buckets: readonly Bucket[],
  ) {
    this.file = file;
    this.pages = pages;
    this.transaction = transaction;
    this.buckets = buckets;
  }

  /**
   * The SHA-256 at the end of a snapshot is not checked: `checkSnapshotDigest` does.
   *
   * @param where names the file in errors
   * @throws EtcdFileError
   */
  static async open(file: RandomAccess, where: string): Promise<EtcdDatabase> {
    const bytes = hasDigest(file.size) ? file.size - DIGEST_BYTES : file.size;
    const meta = await readMeta(file, bytes, where);
    const pages = new PageFile(file, meta, where);
    return new EtcdDatabase(file, pages, meta.transaction, await readBuckets(pages, meta.root));
  }

  get where(): string {
    return this.pages.where;
  }

  /** @throws EtcdFileError, InterruptedError */
  async facts(signal: AbortSignal): Promise<DatabaseFacts> {
    throwIfAborted(signal);
    const { finished, scheduled } = await this.compactions();
    const last = await this.#lastRevision();
    const consistentIndex = await this.lookUp("meta", "consistent_index");
    const clusterVersion = (await this.lookUp("cluster", "clusterVersion"))?.toString("latin1");
    const enabled = await this.lookUp("auth", "authEnabled");
    return {
      revision: Math.max(1, last, finished, scheduled),
      compactRevision: Math.max(finished, scheduled),
      pageSize: this.pages.pageSize,
      bytes: this.file.size,
      consistentIndex:
        consistentIndex?.length === 8 ? Number(consistentIndex.readBigUInt64BE()) : undefined,
      clusterVersion: CLUSTER_VERSION.test(clusterVersion ?? "") ? clusterVersion : undefined,
      hasUsers: (await this.hasEntries("authUsers")) === true,
      isAuthEnabled: enabled?.[0] === 1,
    };
  }

  /** The revisions of the last compaction that was finished, and of the last one that was begun; 0 for none. */
  async compactions(): Promise<{ finished: number; scheduled: number }> {
    const read = async (key: string): Promise<number> => {
      const value = await this.lookUp("meta", key);
      if (value === undefined) return 0;
      const { main } = decodeRevisionKey(value, 0, value.length);
      if (!Number.isNaN(main)) return main;
      throw this.damaged(`${key} is no revision`);
    };
    return {
      finished: await read("finishedCompactRev"),
      scheduled: await read("scheduledCompactRev"),
    };
  }

  /**
   * All changes that the database holds, in their order.
   *
   * @param from changes of lower revisions are left out
   * @throws EtcdFileError, InterruptedError
   */
  async *entries(
    signal: AbortSignal,
    { from = 0 }: { readonly from?: number } = {},
  ): AsyncGenerator<readonly DatabaseEntry[], void, void> {
    const keys = new ChangeKeys(this.where);
    for await (const leaves of this.#leavesOfChanges(signal, from)) {
      const batch: DatabaseEntry[] = [];
      for (const leaf of leaves) {
        for (let i = 0; i < leaf.count; i++) {
          keys.read(leaf, i);
          const { main, sub, deleted } = keys;
          if (main >= from) batch.push({ main, sub, deleted, value: leaf.value(i) });
        }
      }
      if (batch.length > 0) yield batch;
    }
  }

  /** The leaves that {@link entries} come from. Their keys are checked: they are revisions in ascending order. */
  async *changeLeaves(signal: AbortSignal): AsyncGenerator<LeafPage[], void, void> {
    const keys = new ChangeKeys(this.where);
    for await (const leaves of this.#leavesOfChanges(signal, 0)) {
      for (const leaf of leaves) {
        for (let i = 0; i < leaf.count; i++) keys.read(leaf, i);
      }
      yield leaves;
    }
  }

  #leavesOfChanges(signal: AbortSignal, from: number): AsyncGenerator<LeafPage[], void, void> {
    const { root } = this.requiredBucket("key");
    const start = from === 0 ? undefined : encodeRevisionKey({ main: from, sub: 0 });
    return treeLeaves(this.pages, root, signal, start);
  }

  /**
   * All leases, in the order of their ids.
   *
   * @throws EtcdFileError, InterruptedError
   */
  async *leases(signal: AbortSignal): AsyncGenerator<readonly EtcdLease[], void, void> {
    const bucket = this.bucket("lease");
    if (bucket === undefined) return;
    for await (const leaves of this.bucketLeaves(bucket, signal)) {
      const batch: EtcdLease[] = [];
      for (const leaf of leaves) {
        for (let i = 0; i < leaf.count; i++) {
          const lease = decodeLease(leaf.key(i), leaf.value(i));
          if (lease === undefined) throw this.damaged("a lease is damaged");
          batch.push(lease);
        }
      }
      if (batch.length > 0) yield batch;
    }
  }

  /** The leaves of any bucket, whose keys are checked to ascend. etcd has no bucket inside of one. */
  async *bucketLeaves(bucket: Bucket, signal: AbortSignal): AsyncGenerator<LeafPage[], void, void> {
    let last: Buffer | undefined;
    for await (const leaves of treeLeaves(this.pages, bucket.root, signal)) {
      for (const leaf of leaves) {
        last = checkOrder(leaf, last, this.where);
        for (let i = 0; i < leaf.count; i++) {
          if (leaf.isBucket(i)) throw this.damaged("a bucket is inside of another one");
        }
      }
      yield leaves;
    }
  }

  bucket(name: string): Bucket | undefined {
    return this.buckets.find((bucket) => bucket.name.toString("latin1") === name);
  }

  /** @throws EtcdFileError */
  requiredBucket(name: string): Bucket {
    const bucket = this.bucket(name);
    if (bucket !== undefined) return bucket;
    throw new EtcdFileError(
      "ETCD_FILE_NOT_A_DATABASE",
      this.where,
      `is not a database of etcd: it has no bucket "${name}"`,
    );
  }

  /** The value of a key in a bucket; undefined where either is missing. */
  async lookUp(name: string, key: string): Promise<Buffer | undefined> {
    const bucket = this.bucket(name);
    return bucket === undefined
      ? undefined
      : await lookUp(this.pages, bucket.root, Buffer.from(key, "latin1"));
  }

  /** Undefined where there is no such bucket. */
  async hasEntries(name: string): Promise<boolean | undefined> {
    const bucket = this.bucket(name);
    return bucket && (await pathTo(this.pages, bucket.root, undefined)).leaf.count > 0;
  }

  damaged(problem: string): EtcdFileError {
    return new EtcdFileError("ETCD_FILE_DAMAGED", this.where, problem);
  }

  async #lastRevision(): Promise<number> {
    const { leaf } = await pathTo(this.pages, this.requiredBucket("key").root, undefined);
    if (leaf.count === 0) return 0;
    const i = leaf.count - 1;
    const { main } = decodeRevisionKey(leaf.bytes, leaf.keyStart(i), leaf.keyLength(i));
    if (Number.isNaN(main)) throw this.damaged("the key of the last change is no revision");
    return main;
  }
}

async function readBuckets(pages: PageFile, root: number): Promise<Bucket[]> {
  const buckets: Bucket[] = [];
  const { signal } = new AbortController();
  let last: Buffer | undefined;
  for await (const leaves of treeLeaves(pages, root, signal)) {
    for (const leaf of leaves) {
      last = checkOrder(leaf, last, pages.where);
      for (let i = 0; i < leaf.count; i++) buckets.push(readBucket(pages, root, leaf, i));
      if (buckets.length > MAX_BUCKETS) {
        throw pages.damaged(root, `has more than ${MAX_BUCKETS} buckets`);
      }
    }
  }
  return buckets;
}

function readBucket(pages: PageFile, root: number, leaf: LeafPage, i: number): Bucket {
  const value = Buffer.from(leaf.value(i));
  if (!leaf.isBucket(i) || value.length < BUCKET_BYTES) {
    throw pages.damaged(root, "has something else than buckets at its root");
  }
  const page = readUint64(value, 0);
  return {
    name: Buffer.from(leaf.key(i)),
    root: page === 0 ? value.subarray(BUCKET_BYTES) : page,
    sequence: value.readBigUInt64LE(8),
  };
}

/** @returns the last key */
function checkOrder(leaf: LeafPage, before: Buffer | undefined, where: string): Buffer | undefined {
  let last = before;
  for (let i = 0; i < leaf.count; i++) {
    const key = leaf.key(i);
    if (last !== undefined && Buffer.compare(last, key) >= 0) throw unordered(where);
    last = key;
  }
  return last;
}
