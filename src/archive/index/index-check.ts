import { damaged } from "../errors.js";
import { BACKUP_ID_BYTES, INDEX_NAME, MAX_ARCHIVE_FILES } from "../format.js";
import type { IndexedBackup, IndexedObject, IndexedPool, IndexItem, Place } from "./index-items.js";
import { archiveFiles, holdsRecords, type Metadata } from "../metadata.js";
import { TAR_BLOCK } from "../tar/tar-header.js";

/** Checks the items of one index, in their order, against docs/format.md, "INDEX.bin". */
export class IndexCheck {
  readonly #metadata: Metadata;
  /** ARCHIVE files of this backup. */
  readonly #archives: number;
  readonly #ids = new Set<string>();
  readonly #pools = new Set<string>();
  readonly #objects = { own: 0, kept: 0 };
  #keys = { own: 0, kept: 0 };
  #restarts = 0;
  #lastKey: Uint8Array | undefined;
  #lastPlace: (Place & { readonly kind: "object" | "key" }) | undefined;
  /** Items before the current one. */
  #items = 0;

  constructor(metadata: Metadata) {
    this.#metadata = metadata;
    this.#archives = archiveFiles(metadata).length;
  }

  /** Takes the next item. Throws DAMAGED. */
  item(item: IndexItem): void {
    if (item.kind !== "backup") this.#checkChain();
    switch (item.kind) {
      case "backup":
        this.#backup(item);
        break;
      case "pool":
        this.#pool(item);
        break;
      case "object":
        this.#object(item);
        break;
      case "key":
        this.#key(item);
        break;
      case "restart":
        this.#checkEtcd();
        this.#restarts++;
        this.#keys = { own: 0, kept: 0 };
        this.#lastKey = undefined;
        break;
    }
    this.#items++;
  }

  /** Checks the counts at the end of the index. Throws DAMAGED. */
  end(): void {
    this.#checkChain();
    const { ceph, etcd, counts } = this.#metadata;
    const disagrees = (what: string) =>
      damaged(`it and METADATA.bin disagree on ${what}`, { file: INDEX_NAME });
    const listed = ceph?.pools.length ?? 0;
    // An incremental also lists pools that only its base has.
    const poolsAgree =
      this.#metadata.kind === "full" ? this.#pools.size === listed : this.#pools.size >= listed;
    if (!poolsAgree) throw disagrees("the pools");
    if (this.#restarts !== (etcd?.restarts ?? 0)) throw disagrees("the restarts of etcd");
    if (this.#objects.own !== counts.objects) throw disagrees("the number of objects");
    const unread = this.#objects.kept - counts.unchangedObjects;
    if (unread < 0 || unread > counts.missingObjects) {
      throw disagrees("the number of unchanged objects");
    }
    if (this.#keys.own !== counts.records) throw disagrees("the number of records");
    if (this.#keys.kept !== counts.unchangedKeys) throw disagrees("the number of unchanged keys");
  }

  #backup({ backup, id }: IndexedBackup): void {
    const { kind, base } = this.#metadata;
    if (this.#items !== this.#ids.size)
      throw this.#wrong("a backup of the chain after other items");
    if (backup !== this.#ids.size) throw this.#wrong("backups of the chain that are not in order");
    if (kind === "full" && backup > 0) throw this.#wrong("a base in the index of a full backup");
    if (id.length !== BACKUP_ID_BYTES) throw this.#wrong(`a backup id of ${id.length} bytes`);
    const text = Buffer.from(id).toString("hex");
    const expected = backup === 0 ? this.#metadata.id : backup === 1 ? base : text;
    if (text !== expected) throw this.#wrong("the id of a backup that METADATA.bin does not name");
    if (this.#ids.has(text)) throw this.#wrong("a backup that is in the chain twice");
    this.#ids.add(text);
  }

  #checkChain(): void {
    const least = this.#metadata.kind === "full" ? 1 : 2;
    if (this.#ids.size < least) {
      throw this.#wrong("it does not begin with the backup and its bases");
    }
  }

  #checkEtcd(): void {
    const { etcd } = this.#metadata;
    if (etcd === null) throw this.#wrong("an item of etcd in a backup without etcd");
    if (!holdsRecords(etcd)) throw this.#wrong("an item of etcd in a backup without records");
  }

  #pool({ pool, name }: IndexedPool): void {
    const { ceph } = this.#metadata;
    if (ceph === null) throw this.#wrong("a pool in a backup without Ceph");
    if (pool !== this.#pools.size) throw this.#wrong("pools that are not in order");
    if (pool < ceph.pools.length && name !== ceph.pools[pool]) {
      throw this.#wrong("a pool that METADATA.bin has under another name");
    }
    if (this.#pools.has(name)) throw this.#wrong("a pool that is listed twice");
    this.#pools.add(name);
  }

  #object(item: IndexedObject): void {
    const listed = this.#metadata.ceph?.pools.length ?? 0;
    if (item.pool >= Math.min(listed, this.#pools.size)) {
      throw this.#wrong("an object of an unknown pool");
    }
    if (this.#place(item)) this.#objects.own++;
    else this.#objects.kept++;
  }

  #key(item: Extract<IndexItem, { kind: "key" }>): void {
    this.#checkEtcd();
    const { key } = item;
    if (key.length === 0) throw this.#wrong("an empty key");
    if (this.#lastKey !== undefined && Buffer.compare(this.#lastKey, key) >= 0) {
      throw this.#wrong("keys that are not in order");
    }
    this.#lastKey = key;
    if (this.#place(item)) this.#keys.own++;
    else this.#keys.kept++;
  }

  /** Checks a place; returns whether it is in this backup. */
  #place(item: Place & { readonly kind: "object" | "key" }): boolean {
    const { kind, backup, file, offset } = item;
    if (backup >= this.#ids.size) throw this.#wrong("a place in a backup that is not in the chain");
    const own = backup === 0;
    if (file >= (own ? this.#archives : MAX_ARCHIVE_FILES) || offset % TAR_BLOCK !== 0) {
      throw this.#wrong("a place where no entry can start");
    }
    if (!own) return false;
    const last = this.#lastPlace;
    if (last !== undefined) {
      const further = file > last.file || (file === last.file && offset > last.offset);
      // All keys of one entry have the same place.
      const same = file === last.file && offset === last.offset;
      const inOneEntry = same && kind === "key" && last.kind === "key";
      if (!further && !inOneEntry) throw this.#wrong("items that are not in the archive's order");
    }
    this.#lastPlace = item;
    return true;
  }

  #wrong(what: string): Error {
    return damaged(`item ${this.#items}: ${what}`, { file: INDEX_NAME });
  }
}
