import { createHash } from "node:crypto";
import { checkIn } from "./answer.js";
import { type Cbor, fields, sequence } from "./cbor.js";
import type { Facts } from "./facts.js";
import { part, partBytes, type TarEntry } from "./tar.js";

/** docs/format.md, "The tar inside": the entries and their rules. */
export interface Found {
  /** Objects and records in the archive's order, with the facts that are in INDEX.bin too. */
  readonly items: FoundItem[];
  readonly tombstonePools: Set<string>;
}

export interface FoundItem {
  /** The identity of the object, or the key in hex. */
  readonly id: string;
  readonly kind: "object" | "key";
  readonly file: number;
  readonly offset: number;
  /** Size and time of an object; revision and version of a key. */
  readonly numbers: readonly bigint[];
  /** Of a record: its CBOR. */
  readonly record?: Cbor;
}

interface Parsed {
  readonly kind: string;
  /** The identity of an object. */
  readonly id: string;
  readonly pool: string;
  readonly number: number;
}

const OBJECT = /^ceph(-attrs|-omap|-torn|)(-located|)$/;

/** The entry of a path; undefined when no entry has such a path. */
function parse(path: string): Parsed | undefined {
  const numbered =
    /^(etcd\/records|etcd\/leases|tombstones)\/(\d{8}|[1-9]\d{8,})\.cbor$/.exec(path) ??
    /^(etcd\/snapshot)\/(\d{8}|[1-9]\d{8,})\.db$/.exec(path);
  if (numbered !== null) {
    return { kind: numbered[1] ?? "", id: "", pool: "", number: Number(numbered[2]) };
  }
  const parts = path.replaceAll("%/", "").split("/");
  const [, kind, located] = OBJECT.exec(parts.shift() ?? "") ?? [];
  if (kind === undefined) return undefined;
  let number = 0;
  if (kind === "-omap") {
    const page = /^(\d{8}|[1-9]\d{8,})\.cbor$/.exec(parts.pop() ?? "")?.[1];
    if (page === undefined) return undefined;
    number = Number(page);
  }
  if (kind === "-attrs") {
    const last = parts.pop() ?? "";
    if (!last.endsWith(".cbor")) return undefined;
    parts.push(last.slice(0, -5));
  }
  if (parts.length !== (located === "" ? 3 : 4)) return undefined;
  const names = parts.map(partBytes);
  if (located !== "" && names[2]?.length === 0) return undefined;
  // Each entry has one path.
  const tail =
    kind === "-attrs" ? ".cbor" : kind === "-omap" ? path.slice(path.lastIndexOf("/")) : "";
  const again = `ceph${kind}${located}/${names.map(part).join("/")}${tail}`;
  if (again !== path) return undefined;
  const [pool = Buffer.alloc(0), ...rest] = names;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(pool);
  } catch {
    return undefined;
  }
  if (located === "") rest.splice(1, 0, Buffer.alloc(0));
  const hex = rest.map((bytes) => bytes.toString("hex"));
  return { kind: `ceph${kind}`, id: JSON.stringify([text, ...hex]), pool: text, number };
}

/** Takes the entries of all ARCHIVE files, one file after the other. */
export class Contents {
  readonly found: Found = { items: [], tombstonePools: new Set() };
  readonly counts = { objects: 0, objectBytes: 0, records: 0, deletedObjects: 0, deletedKeys: 0 };
  recordEntries = 0;
  readonly #next: Record<string, number> = {};
  readonly #leases = new Set<bigint>();
  readonly #referred = new Set<bigint>();
  #lastKey: Buffer | undefined;
  readonly #pieces: Buffer[] = [];
  #afterPiece = { file: -1, offset: 0 };

  constructor(readonly facts: Facts) {}

  file(entries: readonly TarEntry[], file: number, name: string): void {
    /** Attributes and pages whose data follows. */
    let begun: { id: string; offset: number; pages: number } | undefined;
    /** The last object with data. */
    let last: { id: string; at: number; size: number } | undefined;
    for (const { path, content, mtime, offset } of entries) {
      const entry = parse(path);
      checkIn(name, entry !== undefined, "path");
      const { kind, id, pool, number } = entry;
      checkIn(name, (mtime !== undefined) === (kind === "ceph"), "time");
      if (kind.startsWith("ceph")) {
        checkIn(name, this.facts.pools?.includes(pool) ?? false, "pool");
      }
      if (kind !== "ceph" && kind !== "ceph-omap" && kind !== "ceph-torn") {
        checkIn(name, begun === undefined, "attributes without their object");
      }
      if (kind === "ceph") {
        checkIn(name, begun === undefined || begun.id === id, "not together");
        last = { id, at: this.found.items.length, size: content.length };
        this.found.items.push({
          id,
          kind: "object",
          file,
          offset: begun?.offset ?? offset,
          numbers: [BigInt(content.length), mtime ?? 0n],
        });
        this.counts.objects++;
        this.counts.objectBytes += content.length;
        begun = undefined;
        continue;
      }
      if (kind === "ceph-torn") {
        checkIn(name, content.length === 0, "torn with content");
        const torn = begun ?? last;
        checkIn(name, torn?.id === id, "torn of nothing");
        if (begun === undefined && last !== undefined) {
          this.found.items.splice(last.at, 1);
          this.counts.objects--;
          this.counts.objectBytes -= last.size;
        }
        begun = undefined;
        last = undefined;
        continue;
      }
      if (kind === "ceph-attrs") begun = { id, offset, pages: 0 };
      if (kind === "ceph-omap") {
        checkIn(name, begun?.id === id && number === ++begun.pages, "page");
      }
      last = undefined;
      try {
        this.#entry(kind, number, content, { file, offset, name });
      } catch (error) {
        checkIn(name, false, `${path}: ${error}`);
      }
    }
    checkIn(name, begun === undefined, "attributes without their object");
  }

  #entry(
    kind: string,
    number: number,
    content: Buffer,
    place: { file: number; offset: number; name: string },
  ): void {
    if (kind === "ceph-attrs") {
      const items = sequence(content);
      const [xattrs, , omap] = fields(items[0], "aba");
      if (items.length !== 1) throw new Error("not one item");
      pairs(xattrs);
      pairs(omap);
      return;
    }
    if (kind === "ceph-omap") {
      const items = sequence(content);
      if (items.length !== 1) throw new Error("not one item");
      pairs(items[0]);
      return;
    }
    const next = this.#next[kind] ?? 0;
    if (number !== next) throw new Error("numbers");
    this.#next[kind] = next + 1;
    if (kind === "etcd/snapshot") {
      this.#piece(number, content, place);
      return;
    }
    if (kind === "etcd/records") this.recordEntries++;
    if (kind === "etcd/records" && number < this.facts.firstBatch) return;
    if (kind !== "tombstones" && !this.facts.hasRecords) throw new Error("no records");
    const items = sequence(content);
    if (items.length > 262_144) throw new Error("too many items");
    for (const item of items) this.#item(kind, item, place);
  }

  #piece(number: number, content: Buffer, { file, offset }: { file: number; offset: number }) {
    const { snapshot } = this.facts;
    if (snapshot === undefined) throw new Error("no raw snapshot");
    if (number < snapshot.firstPiece) return;
    const before = this.#pieces.length * (16 << 20);
    if (content.length !== Math.min(16 << 20, snapshot.bytes - before)) throw new Error("length");
    const first = number === snapshot.firstPiece;
    const after = this.#afterPiece;
    const follows = first
      ? file === snapshot.file && offset === 0
      : (file === after.file && offset === after.offset) ||
        (file === after.file + 1 && offset === 0);
    if (!follows) throw new Error("place of a piece");
    this.#afterPiece = { file, offset: offset + 512 + Math.ceil(content.length / 512) * 512 };
    this.#pieces.push(content);
  }

  /** Once all files were taken. */
  end(): void {
    const { snapshot } = this.facts;
    if (snapshot === undefined) return;
    const whole = Buffer.concat(this.#pieces);
    const sha256 = createHash("sha256").update(whole).digest("hex");
    checkIn("METADATA.bin", whole.length === snapshot.bytes, "bytes of the raw snapshot");
    checkIn("METADATA.bin", sha256 === snapshot.sha256, "SHA-256 of the raw snapshot");
  }

  #item(kind: string, item: Cbor, { file, offset }: { file: number; offset: number }): void {
    if (kind === "etcd/records") {
      const [key, , , modRevision, version, lease] = fields(item, "bbuuui");
      if (!Buffer.isBuffer(key) || key.length === 0) throw new Error("an empty key");
      if (this.#lastKey !== undefined && Buffer.compare(key, this.#lastKey) <= 0)
        throw new Error("order");
      this.#lastKey = key;
      if (lease !== 0n && !this.#leases.has(lease as bigint)) this.#referred.add(lease as bigint);
      this.counts.records++;
      const numbers = [modRevision as bigint, version as bigint];
      this.found.items.push({
        id: key.toString("hex"),
        kind: "key",
        file,
        offset,
        numbers,
        record: item,
      });
      return;
    }
    if (kind === "etcd/leases") {
      const [id] = fields(item, "iu");
      if (id === 0n || this.#referred.has(id as bigint)) throw new Error("lease");
      this.#leases.add(id as bigint);
      return;
    }
    if (!this.facts.incremental) throw new Error("a tombstone in a full backup");
    if (Array.isArray(item) && item.length === 4) {
      const [pool] = fields(item, "tbbb");
      if (this.facts.pools === undefined) throw new Error("Ceph was left out");
      this.found.tombstonePools.add(pool as string);
      this.counts.deletedObjects++;
      return;
    }
    const [key] = fields(item, "b");
    if (!this.facts.hasRecords || (key as Buffer).length === 0) throw new Error("key");
    this.counts.deletedKeys++;
  }
}

function pairs(item: Cbor | undefined): void {
  if (!Array.isArray(item) || item.length > 262_144) throw new Error("pairs");
  for (const pair of item) fields(pair, "bb");
}
