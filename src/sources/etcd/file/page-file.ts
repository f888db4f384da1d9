import { EtcdFileError } from "./errors.js";
import type { Meta } from "./meta.js";
import { BRANCH_FLAG, BranchPage, LEAF_FLAG, LeafPage, PAGE_HEADER_BYTES } from "./page.js";
import { type RandomAccess, readFully } from "./random-access.js";
import { readUint64 } from "./uint64.js";

/** A page with those that continue it. etcd's own limit for a request is 1.5 MiB, and a page holds a few large values. */
const MAX_PAGE_BYTES = 64 << 20;

/** The pages of a database, whose numbers and sizes are checked: whatever is in the file, memory is bounded. */
export class PageFile {
  readonly pageSize: number;
  readonly pageCount: number;
  readonly where: string;
  readonly #file: RandomAccess;

  constructor(file: RandomAccess, { pageSize, pageCount }: Meta, where: string) {
    this.#file = file;
    this.pageSize = pageSize;
    this.pageCount = pageCount;
    this.where = where;
  }

  /** Reads whole pages, whatever is in them. */
  async readPages(first: number, count: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(count * this.pageSize);
    if ((await readFully(this.#file, bytes, first * this.pageSize)) < bytes.length) {
      throw new EtcdFileError("ETCD_FILE_TRUNCATED", this.where, "ends too early", { page: first });
    }
    return bytes;
  }

  /** Reads a page of a tree with those that continue it. */
  async readNode(id: number): Promise<LeafPage | BranchPage> {
    this.checkId(id);
    let bytes = await this.readPages(id, 1);
    const pages = this.pagesOf(id, bytes);
    if (pages > 1) bytes = await this.readPages(id, pages);
    return this.parse(id, bytes);
  }

  async readLeaf(id: number): Promise<LeafPage> {
    const node = await this.readNode(id);
    if (node instanceof LeafPage) return node;
    throw this.damaged(id, "is not a leaf");
  }

  async readBranch(id: number): Promise<BranchPage> {
    const node = await this.readNode(id);
    if (node instanceof BranchPage) return node;
    throw this.damaged(id, "is not a branch");
  }

  checkId(id: number): void {
    if (id >= 2 && id < this.pageCount) return;
    throw new EtcdFileError("ETCD_FILE_DAMAGED", this.where, `has no page ${id}`);
  }

  /** The number of pages that a page takes with those that continue it. */
  pagesOf(id: number, bytes: Buffer): number {
    if (readUint64(bytes, 0) !== id) throw this.damaged(id, "has the number of another page");
    const pages = bytes.readUInt32LE(12) + 1;
    if (id + pages > this.pageCount) throw this.damaged(id, "does not end in the file");
    if (pages * this.pageSize > MAX_PAGE_BYTES) {
      const problem = `has ${pages * this.pageSize} bytes, more than ${MAX_PAGE_BYTES}`;
      throw new EtcdFileError("ETCD_FILE_UNSUPPORTED", this.where, problem, { page: id });
    }
    return pages;
  }

  parse(id: number, bytes: Buffer): LeafPage | BranchPage {
    const flags = bytes.readUInt16LE(8);
    if (flags !== LEAF_FLAG && flags !== BRANCH_FLAG) {
      throw this.damaged(id, "is neither a leaf nor a branch");
    }
    const node = flags === LEAF_FLAG ? LeafPage.of(bytes) : BranchPage.of(bytes);
    if (node === undefined) throw this.damaged(id, "has damaged elements");
    return node;
  }

  /** A bucket that is stored in the value of its name. */
  parseInline(bytes: Buffer): LeafPage {
    const leaf =
      bytes.length >= PAGE_HEADER_BYTES && bytes.readUInt16LE(8) === LEAF_FLAG
        ? LeafPage.of(bytes)
        : undefined;
    if (leaf !== undefined) return leaf;
    throw new EtcdFileError("ETCD_FILE_DAMAGED", this.where, "a small bucket is damaged");
  }

  damaged(page: number, problem: string): EtcdFileError {
    return new EtcdFileError("ETCD_FILE_DAMAGED", this.where, problem, { page });
  }
}
