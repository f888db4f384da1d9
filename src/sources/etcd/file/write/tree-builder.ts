import {
  BRANCH_FLAG,
  BUCKET_FLAG,
  ELEMENT_BYTES,
  LEAF_FLAG,
  type LeafPage,
  PAGE_HEADER_BYTES,
} from "../page.js";
import type { PageFile } from "../page-file.js";
import { writeUint64 } from "../uint64.js";
import type { PageAppender } from "./page-appender.js";

/** The branches of one level, from the left to the right, of which the last one is not yet written. */
class BranchLevel {
  readonly #appender: PageAppender;
  readonly keys: Buffer[] = [];
  readonly children: number[] = [];
  #bytes = PAGE_HEADER_BYTES;
  #written = 0;

  constructor(appender: PageAppender) {
    this.#appender = appender;
  }

  /** Returns a branch that was full, and is written. */
  add(key: Buffer, child: number): { key: Buffer; id: number } | undefined {
    const bytes = ELEMENT_BYTES + key.length;
    // The last child stays back, so that the next branch has two: bbolt makes none of one child.
    const isFull = this.#bytes + bytes > this.#appender.pageSize && this.keys.length >= 3;
    const full = isFull ? this.#write(this.keys.length - 1) : undefined;
    this.keys.push(key);
    this.children.push(child);
    this.#bytes += bytes;
    return full;
  }

  /** Nothing of this level is written, and `most` children at most are left. */
  isSmall(most: number): boolean {
    return this.#written === 0 && this.children.length <= most;
  }

  /** Takes all children that are not written. */
  take(): { key: Buffer; child: number }[] {
    const children = this.children.splice(0);
    this.#bytes = PAGE_HEADER_BYTES;
    return this.keys.splice(0).map((key, i) => ({ key, child: children[i] ?? 0 }));
  }

  /** Takes the last child that is not written. */
  pop(): number | undefined {
    this.#bytes -= ELEMENT_BYTES + (this.keys.pop()?.length ?? 0);
    return this.children.pop();
  }

  /** Writes what is left; at least one child is. */
  finish(): { key: Buffer; id: number } {
    return this.#write(this.keys.length);
  }

  #write(count: number): { key: Buffer; id: number } {
    const keys = this.keys.splice(0, count);
    const children = this.children.splice(0, count);
    const bytes = sizeOf(keys);
    const { id, page } = this.#appender.append(bytes);
    page.writeUInt16LE(BRANCH_FLAG, 8);
    page.writeUInt16LE(count, 10);
    let data = PAGE_HEADER_BYTES + count * ELEMENT_BYTES;
    for (const [i, key] of keys.entries()) {
      const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
      page.writeUInt32LE(data - at, at);
      page.writeUInt32LE(key.length, at + 4);
      writeUint64(page, at + 8, children[i] ?? 0);
      key.copy(page, data);
      data += key.length;
    }
    this.#bytes = sizeOf(this.keys);
    this.#written++;
    return { key: keys[0] ?? Buffer.alloc(0), id };
  }
}

function sizeOf(keys: readonly Buffer[]): number {
  return keys.reduce((sum, key) => sum + ELEMENT_BYTES + key.length, PAGE_HEADER_BYTES);
}

/** Builds the tree of a bucket from its entries in ascending order. Pages are full, and a value of any size has room. */
export class TreeBuilder {
  readonly #appender: PageAppender;
  readonly #levels: BranchLevel[] = [];
  #keys: Uint8Array[] = [];
  #values: Uint8Array[] = [];
  #flags: number[] = [];
  #bytes = PAGE_HEADER_BYTES;
  readonly #existing: PageFile | undefined;

  /** @param existing the file that pages of {@link addPage} are in */
  constructor(appender: PageAppender, existing?: PageFile) {
    this.#appender = appender;
    this.#existing = existing;
  }

  /** @param isBucket the value is a bucket */
  add(key: Uint8Array, value: Uint8Array, isBucket = false): void {
    const bytes = ELEMENT_BYTES + key.length + value.length;
    if (this.#keys.length > 0 && this.#bytes + bytes > this.#appender.pageSize) this.#writeLeaf();
    this.#keys.push(key);
    this.#values.push(value);
    this.#flags.push(isBucket ? BUCKET_FLAG : 0);
    this.#bytes += bytes;
  }

  /** Adds all entries of a leaf: a full one as it is. */
  addLeaf(leaf: LeafPage): void {
    const { pageSize } = this.#appender;
    const last = leaf.count - 1;
    const end = leaf.keyStart(last) + leaf.keyLength(last) + leaf.valueLength(last);
    const isFull = end > leaf.bytes.length - pageSize / 4 && leaf.bytes.length % pageSize === 0;
    if (isFull && (this.#keys.length === 0 || this.#bytes > pageSize / 2)) {
      if (this.#keys.length > 0) this.#writeLeaf();
      this.#addChild(0, Buffer.from(leaf.key(0)), this.#appender.appendCopy(leaf.bytes));
      return;
    }
    for (let i = 0; i < leaf.count; i++) this.add(leaf.key(i), leaf.value(i), leaf.isBucket(i));
  }

  /**
   * Adds a page that is already in the file, with all below it.
   *
   * @param level 0 for a leaf. Higher levels come first, and each level from the left to the right.
   */
  addPage(level: number, key: Buffer, id: number): void {
    this.#addChild(level, Buffer.from(key), id);
  }

  /** The page of the root; the bytes of the bucket instead where they are few, as bbolt does it. */
  async finish({ mayBeInline }: { readonly mayBeInline: boolean }): Promise<number | Buffer> {
    if (this.#keys.length > 0 && this.#levels.length > 0) this.#writeLeaf();
    if (this.#levels.every((level) => level.isSmall(0))) {
      if (mayBeInline && this.#bytes <= this.#appender.pageSize / 4) return this.#inline();
      return this.#appendLeaf();
    }
    for (let i = 0; ; i++) {
      const level = this.#levels[i];
      if (level === undefined) throw new TypeError("a tree has no root");
      const isTop = this.#levels.slice(i + 1).every((above) => above.isSmall(0));
      const [only] = level.children;
      if (isTop && level.isSmall(1) && only !== undefined) return only;
      if (level.children.length === 0) continue;
      // A branch of one child would be the end of bbolt when it deletes from it.
      if (!isTop && level.isSmall(1)) await this.#borrow(i);
      const { key, id } = level.finish();
      if (isTop && this.#levels.slice(i + 1).every((above) => above.isSmall(0))) return id;
      this.#addChild(i + 1, key, id);
    }
  }

  /** Takes the children of the branch to the left into a level. */
  async #borrow(at: number): Promise<void> {
    const level = this.#levels[at];
    const above = this.#levels[at + 1];
    if (level === undefined || above === undefined) return;
    if (above.children.length === 0) await this.#borrow(at + 1);
    const left = above.pop();
    if (left === undefined || this.#existing === undefined) return;
    const branch = await this.#existing.readBranch(left);
    const own = level.take();
    for (let i = 0; i < branch.count; i++) {
      this.#addChild(at, Buffer.from(branch.key(i)), branch.child(i));
    }
    for (const { key, child } of own) this.#addChild(at, key, child);
  }

  #addChild(level: number, key: Buffer, child: number): void {
    for (let at = level, next = { key, id: child }; ; at++) {
      while (this.#levels.length <= at) this.#levels.push(new BranchLevel(this.#appender));
      const full = this.#levels[at]?.add(next.key, next.id);
      if (full === undefined) return;
      next = full;
    }
  }

  #writeLeaf(): void {
    const key = Buffer.from(this.#keys[0] ?? []);
    this.#addChild(0, key, this.#appendLeaf());
  }

  #appendLeaf(): number {
    const { id, page } = this.#appender.append(this.#bytes);
    this.#fill(page);
    return id;
  }

  #inline(): Buffer {
    const page = Buffer.alloc(this.#bytes);
    this.#fill(page);
    return page;
  }

  #fill(page: Buffer): void {
    const count = this.#keys.length;
    page.writeUInt16LE(LEAF_FLAG, 8);
    page.writeUInt16LE(count, 10);
    let data = PAGE_HEADER_BYTES + count * ELEMENT_BYTES;
    for (let i = 0; i < count; i++) {
      const key = this.#keys[i] ?? NO_BYTES;
      const value = this.#values[i] ?? NO_BYTES;
      const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
      page.writeUInt32LE(this.#flags[i] ?? 0, at);
      page.writeUInt32LE(data - at, at + 4);
      page.writeUInt32LE(key.length, at + 8);
      page.writeUInt32LE(value.length, at + 12);
      page.set(key, data);
      page.set(value, data + key.length);
      data += key.length + value.length;
    }
    this.#keys = [];
    this.#values = [];
    this.#flags = [];
    this.#bytes = PAGE_HEADER_BYTES;
  }
}

const NO_BYTES = new Uint8Array();
