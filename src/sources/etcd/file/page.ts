import { readUint64 } from "./uint64.js";

// Layout of `page`, `branchPageElement` and `leafPageElement` in bbolt's page.go.
export const PAGE_HEADER_BYTES = 16;
export const BRANCH_FLAG = 1;
export const LEAF_FLAG = 2;
export const ELEMENT_BYTES = 16;
/** Flag of a leaf's element whose value is a bucket. */
export const BUCKET_FLAG = 1;

/** A page of keys and values. Elements were checked to be inside of the page. */
export class LeafPage {
  /** The page with the pages that continue it. */
  readonly bytes: Buffer;
  readonly count: number;

  /** @returns undefined where an element is not inside of the page, or elements overlap */
  static of(bytes: Buffer): LeafPage | undefined {
    const count = bytes.readUInt16LE(10);
    const end = bytes.length;
    let used = PAGE_HEADER_BYTES + count * ELEMENT_BYTES;
    if (used > end) return undefined;
    for (let i = 0; i < count; i++) {
      const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
      const size = bytes.readUInt32LE(at + 8) + bytes.readUInt32LE(at + 12);
      used += size;
      // The sum keeps a small page from being many large entries.
      if (at + bytes.readUInt32LE(at + 4) + size > end || used > end) return undefined;
    }
    return new LeafPage(bytes, count);
  }

  private constructor(bytes: Buffer, count: number) {
    this.bytes = bytes;
    this.count = count;
  }

  isBucket(i: number): boolean {
    return (this.bytes.readUInt32LE(PAGE_HEADER_BYTES + i * ELEMENT_BYTES) & BUCKET_FLAG) !== 0;
  }

  /** Position of a key in the page. */
  keyStart(i: number): number {
    const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
    return at + this.bytes.readUInt32LE(at + 4);
  }

  keyLength(i: number): number {
    return this.bytes.readUInt32LE(PAGE_HEADER_BYTES + i * ELEMENT_BYTES + 8);
  }

  valueLength(i: number): number {
    return this.bytes.readUInt32LE(PAGE_HEADER_BYTES + i * ELEMENT_BYTES + 12);
  }

  /** A view on the page. */
  key(i: number): Buffer {
    const start = this.keyStart(i);
    return this.bytes.subarray(start, start + this.keyLength(i));
  }

  /** A view on the page. */
  value(i: number): Buffer {
    const start = this.keyStart(i) + this.keyLength(i);
    return this.bytes.subarray(start, start + this.valueLength(i));
  }
}

/** A page of keys and the pages that begin with them. */
export class BranchPage {
  readonly bytes: Buffer;
  readonly count: number;

  /** @returns undefined where it is empty, an element is not inside of the page, elements overlap, or keys are not in order */
  static of(bytes: Buffer): BranchPage | undefined {
    const count = bytes.readUInt16LE(10);
    let used = PAGE_HEADER_BYTES + count * ELEMENT_BYTES;
    if (count === 0 || used > bytes.length) return undefined;
    const page = new BranchPage(bytes, count);
    let previous: Buffer | undefined;
    for (let i = 0; i < count; i++) {
      const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
      const size = bytes.readUInt32LE(at + 4);
      used += size;
      if (at + bytes.readUInt32LE(at) + size > bytes.length || used > bytes.length) {
        return undefined;
      }
      const key = page.key(i);
      if (previous !== undefined && Buffer.compare(previous, key) >= 0) return undefined;
      previous = key;
    }
    return page;
  }

  private constructor(bytes: Buffer, count: number) {
    this.bytes = bytes;
    this.count = count;
  }

  /** A view on the page. */
  key(i: number): Buffer {
    const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
    const start = at + this.bytes.readUInt32LE(at);
    return this.bytes.subarray(start, start + this.bytes.readUInt32LE(at + 4));
  }

  /** Number of the page. */
  child(i: number): number {
    return readUint64(this.bytes, PAGE_HEADER_BYTES + i * ELEMENT_BYTES + 8);
  }

  /** The child that holds `key`, or would: the last one that does not begin after it, or the first one. */
  indexOf(key: Uint8Array): number {
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (Buffer.compare(this.key(middle), key) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
