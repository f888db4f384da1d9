import { EtcdFileError } from "./errors.js";
import type { LeafPage } from "./page.js";
import { DELETION_BYTES, DELETION_MARK, PUT_BYTES, SEPARATOR } from "./revision-key.js";
import { unordered } from "./tree.js";
import { readUint64BE } from "./uint64.js";

/** The keys of changes, one after the other, which are checked to be revisions in ascending order. */
export class ChangeKeys {
  main = -1;
  sub = 0;
  deleted = false;
  readonly #where: string;

  constructor(where: string) {
    this.#where = where;
  }

  /** @throws EtcdFileError */
  read(leaf: LeafPage, i: number): void {
    const { bytes } = leaf;
    const start = leaf.keyStart(i);
    const length = leaf.keyLength(i);
    const deleted = length === DELETION_BYTES && bytes[start + PUT_BYTES] === DELETION_MARK;
    const isLongEnough = length >= PUT_BYTES;
    const main = isLongEnough ? readUint64BE(bytes, start) : Number.NaN;
    const sub = isLongEnough ? readUint64BE(bytes, start + 9) : Number.NaN;
    if (
      !(deleted || length === PUT_BYTES) ||
      bytes[start + 8] !== SEPARATOR ||
      leaf.isBucket(i) ||
      !Number.isSafeInteger(main) ||
      !Number.isSafeInteger(sub)
    ) {
      const problem = "the key of a change is no revision";
      throw new EtcdFileError("ETCD_FILE_DAMAGED", this.#where, problem);
    }
    if (main < this.main || (main === this.main && sub <= this.sub)) throw unordered(this.#where);
    this.main = main;
    this.sub = sub;
    this.deleted = deleted;
  }
}
