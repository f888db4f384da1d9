import { isUtf8 } from "node:buffer";

/**
 * Paths of the entries in the tar: docs/format.md, "The tar inside". Each part is percent-encoded bytes, so any RADOS
 * name is a safe part of a path.
 */

/** The name of a RADOS object in the archive. */
export interface EntryName {
  readonly pool: string;
  readonly namespace: Uint8Array;
  /** Empty when the object has no locator key. */
  readonly locator: Uint8Array;
  readonly name: Uint8Array;
}

export function isSameObject(a: EntryName, b: EntryName): boolean {
  return (
    a.pool === b.pool &&
    Buffer.compare(a.namespace, b.namespace) === 0 &&
    Buffer.compare(a.locator, b.locator) === 0 &&
    Buffer.compare(a.name, b.name) === 0
  );
}

/** An entry by its path. */
export type Entry =
  | { readonly kind: NumberedEntryKind; readonly number: number }
  | { readonly kind: "data" | "attrs" | "torn"; readonly object: EntryName }
  | { readonly kind: "omap"; readonly object: EntryName; readonly page: number };

/** Entries that are numbered from 0 through the whole archive, each kind for itself. */
export type NumberedEntryKind = "records" | "leases" | "tombstones" | "snapshot";

type ObjectEntryKind = "data" | "attrs" | "omap" | "torn";

const PREFIXES: Record<ObjectEntryKind, string> = {
  data: "ceph",
  attrs: "ceph-attrs",
  omap: "ceph-omap",
  torn: "ceph-torn",
};
const LOCATED = "-located";

const PLAIN = new Uint8Array(256);
for (const c of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~") {
  PLAIN[c.charCodeAt(0)] = 1;
}
const DOT = 0x2e;

/** One part of a path. Each byte string has one encoding, which is never empty, nor dots only. */
export function encodePart(bytes: Uint8Array): string {
  if (bytes.length === 0) return "-";
  if (bytes.length === 1 && bytes[0] === 0x2d) return "%2D";
  let plain = true;
  let dots = true;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte !== DOT) dots = false;
    if (PLAIN[byte] === 0) plain = false;
  }
  if (plain && !dots)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  let out = "";
  for (const byte of bytes) {
    out +=
      PLAIN[byte] === 1 && !(dots && byte === DOT)
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}

/** The bytes of a part; undefined when it is not the encoding of {@link encodePart}. */
export function decodePart(part: string): Buffer | undefined {
  if (part === "-") return Buffer.alloc(0);
  const bytes = Buffer.alloc(part.length);
  let length = 0;
  for (let i = 0; i < part.length; i++) {
    let code = part.charCodeAt(i);
    if (code === 0x25) {
      const hex = part.slice(i + 1, i + 3);
      if (!/^[0-9A-F]{2}$/.test(hex)) return undefined;
      code = Number.parseInt(hex, 16);
      i += 2;
    }
    bytes[length++] = code;
  }
  const decoded = bytes.subarray(0, length);
  return encodePart(decoded) === part ? decoded : undefined;
}

/** File systems allow 255 bytes in a part of a path; `%` or `.cbor` may follow. */
const LONGEST_PART = 240;

/** Splits a long part into folders: a piece that ends in `%`, which no encoding does, goes on in the next. */
function splitLong(part: string): string {
  let split = "";
  let at = 0;
  for (; part.length - at > LONGEST_PART; at += LONGEST_PART) {
    split += `${part.slice(at, at + LONGEST_PART)}%/`;
  }
  return split + part.slice(at);
}

/** The parts of a path, with split ones joined. */
function partsOf(path: string): string[] {
  const parts: string[] = [];
  let begun = "";
  for (const piece of path.split("/")) {
    if (piece.endsWith("%")) {
      begun += piece.slice(0, -1);
      continue;
    }
    parts.push(begun + piece);
    begun = "";
  }
  return begun === "" ? parts : [];
}

/** The path of an entry of an object. `page` counts omap pages from 1. */
export function objectPath(kind: ObjectEntryKind, object: EntryName, page = 0): string {
  const located = object.locator.length > 0;
  const locator = located ? `${splitLong(encodePart(object.locator))}/` : "";
  const suffix = kind === "attrs" ? ".cbor" : kind === "omap" ? `/${padded(page)}.cbor` : "";
  const pool = splitLong(encodePart(Buffer.from(object.pool, "utf8")));
  const namespace = splitLong(encodePart(object.namespace));
  const name = splitLong(encodePart(object.name));
  return `${PREFIXES[kind]}${located ? LOCATED : ""}/${pool}/${namespace}/${locator}${name}${suffix}`;
}

/** The number of an entry, so that paths sort by it. */
function padded(number: number): string {
  return String(number).padStart(8, "0");
}

export function leasesPath(number: number): string {
  return `etcd/leases/${padded(number)}.cbor`;
}

export function recordsPath(number: number): string {
  return `etcd/records/${padded(number)}.cbor`;
}

export function tombstonesPath(number: number): string {
  return `tombstones/${padded(number)}.cbor`;
}

/** A piece of the raw snapshot of etcd. */
export function snapshotPath(number: number): string {
  return `etcd/snapshot/${padded(number)}.db`;
}

const NUMBERED_PATHS: Record<NumberedEntryKind, (number: number) => string> = {
  records: recordsPath,
  leases: leasesPath,
  tombstones: tombstonesPath,
  snapshot: snapshotPath,
};

/** The entry at `path`; undefined when no entry of this format has such a path. */
export function parsePath(path: string): Entry | undefined {
  const numbered = /^(?:etcd\/)?(records|leases|tombstones|snapshot)\/(\d{8,})\.(?:cbor|db)$/.exec(
    path,
  );
  if (numbered !== null) {
    const number = Number(numbered[2]);
    const kind = numbered[1] as NumberedEntryKind;
    return NUMBERED_PATHS[kind](number) === path ? { kind, number } : undefined;
  }
  const entry = parseObjectPath(partsOf(path));
  if (entry === undefined || !("object" in entry)) return undefined;
  // Each entry has one path, even where a long part is split.
  const page = entry.kind === "omap" ? entry.page : 0;
  return objectPath(entry.kind, entry.object, page) === path ? entry : undefined;
}

function parseObjectPath(parts: string[]): Entry | undefined {
  const [prefix = "", pool = "", namespace = "", ...rest] = parts;
  const located = prefix.endsWith(LOCATED);
  const base = located ? prefix.slice(0, -LOCATED.length) : prefix;
  const kind = (Object.keys(PREFIXES) as ObjectEntryKind[]).find((k) => PREFIXES[k] === base);
  const depth = 1 + (located ? 1 : 0) + (kind === "omap" ? 1 : 0);
  if (kind === undefined || rest.length !== depth) return undefined;
  const locatorBytes = located ? decodePart(rest.shift() ?? "") : Buffer.alloc(0);
  let name = rest[0] ?? "";
  if (kind === "attrs") {
    if (!name.endsWith(".cbor")) return undefined;
    name = name.slice(0, -".cbor".length);
  }
  const poolBytes = decodePart(pool);
  const namespaceBytes = decodePart(namespace);
  const nameBytes = decodePart(name);
  if (
    poolBytes === undefined ||
    namespaceBytes === undefined ||
    nameBytes === undefined ||
    locatorBytes === undefined ||
    !isUtf8(poolBytes) ||
    (located && locatorBytes.length === 0)
  ) {
    return undefined;
  }
  const object = {
    pool: poolBytes.toString("utf8"),
    namespace: namespaceBytes,
    locator: locatorBytes,
    name: nameBytes,
  };
  if (kind !== "omap") return { kind, object };
  const page = /^(\d{8,})\.cbor$/.exec(rest[1] ?? "");
  const number = Number(page?.[1]);
  return page?.[1] === padded(number) ? { kind, object, page: number } : undefined;
}
