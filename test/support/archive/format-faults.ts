import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "cborg";
import { compress } from "zstd-napi";
import { CborReader, CborWriter } from "../../../src/archive/cbor.js";
import { FileType, INDEX_NAME, MANIFEST_NAME, METADATA_NAME } from "../../../src/archive/format.js";
import { DATABASE } from "./database.js";
import { encodePassphraseSlot } from "../../../src/archive/header.js";
import {
  decodeIndexItem,
  encodeIndexedBackup,
  encodeIndexedKey,
  encodeIndexedObject,
  encodeIndexedPool,
  encodeIndexRestart,
  type IndexedKey,
  type IndexedObject,
  type IndexItem,
} from "../../../src/archive/index/index-items.js";
import type { Metadata, RawSnapshot } from "../../../src/archive/metadata.js";
import { encodeTarHeader, TAR_BLOCK, TAR_END } from "../../../src/archive/tar/tar-header.js";
import { entry, type Fault, FIRST, read, tar } from "./fault.js";
import { type Forger, joinSealed, splitSealed } from "./forge.js";
import { object, record, type SampleContents } from "./sample.js";
import { fixedSlot } from "./fixed-keys.js";

/** Violations of docs/format.md, each sealed with the passphrase. */

type Rest = Partial<Omit<Fault, "code" | "spoil">>;

function broken(
  file: string,
  reason: RegExp,
  forge: (forger: Forger) => Promise<void>,
  rest: Rest = {},
): Fault {
  return { code: "DAMAGED", file, reason, spoil: ({ forger }) => forge(forger), ...rest };
}

function write(item: IndexItem): Buffer {
  const out = new CborWriter();
  if (item.kind === "backup") encodeIndexedBackup(out, item.backup, item.id);
  else if (item.kind === "pool") encodeIndexedPool(out, item.pool, item.name);
  else if (item.kind === "object") encodeIndexedObject(out, item);
  else if (item.kind === "key") encodeIndexedKey(out, item);
  else encodeIndexRestart(out);
  return Buffer.from(out.view());
}

/** INDEX.bin with other items; bytes are an item that the writer cannot make. */
function index(
  reason: RegExp,
  change: (items: IndexItem[]) => readonly (IndexItem | Buffer)[],
  rest: Rest = {},
): Fault {
  return broken(
    INDEX_NAME,
    reason,
    async (forger) => {
      const reader = new CborReader(
        forger.open(FileType.index, 0, read(forger.folder, INDEX_NAME)),
      );
      const items: IndexItem[] = [];
      while (!reader.atEnd) items.push(decodeIndexItem(reader));
      const parts = change(items).map((item) => (Buffer.isBuffer(item) ? item : write(item)));
      await forger.replaceIndex(Buffer.concat(parts));
    },
    rest,
  );
}

/** The items, with `change` applied to each of a kind. */
function each<K extends IndexItem["kind"]>(
  kind: K,
  change: (item: Extract<IndexItem, { kind: K }>) => IndexItem | Buffer,
): (items: IndexItem[]) => (IndexItem | Buffer)[] {
  const isOne = (item: IndexItem): item is Extract<IndexItem, { kind: K }> => item.kind === kind;
  return (items) => items.map((item) => (isOne(item) ? change(item) : item));
}

const isKey = (item: IndexItem): item is IndexedKey => item.kind === "key";
const isObject = (item: IndexItem): item is IndexedObject => item.kind === "object";

/** METADATA.bin with other facts. */
function facts(
  reason: RegExp,
  change: (metadata: Metadata) => object,
  { file = METADATA_NAME, ...rest }: Rest = {},
): Fault {
  return broken(
    file ?? METADATA_NAME,
    reason,
    (forger) => forger.setMetadataPlain(Buffer.from(encode(change(forger.metadata)))),
    rest,
  );
}

/** METADATA.bin of these bytes where `from` was. */
function factBytes(reason: RegExp, from: string, to: string): Fault {
  return broken(METADATA_NAME, reason, async (forger) => {
    const plain = Buffer.from(encode(forger.metadata)).toString("latin1");
    await forger.setMetadataPlain(Buffer.from(plain.replace(from, to), "latin1"));
  });
}

/** ARCHIVE00000.bin with this tar, in a backup of these contents. */
function tarOf(reason: RegExp, parts: readonly Uint8Array[], rest: Rest = {}): Fault {
  return { ...tar(...parts), reason, ...rest };
}

/** ARCHIVE00000.bin with its tar changed. */
function changedTar(reason: RegExp, change: (tar: Buffer) => Buffer): Fault {
  return broken(FIRST, reason, async (forger) => {
    const whole = forger.open(FileType.archive, 0, read(forger.folder, FIRST));
    await forger.replaceArchive(FIRST, 0, change(whole));
  });
}

/** A header block with `bytes` at `at`, and a valid checksum. */
function header(block: Buffer, at: number, bytes: string): Buffer {
  const out = Buffer.from(block);
  out.write(bytes, at, "latin1");
  out.fill(" ", 148, 156);
  const sum = out.reduce((all, byte) => all + byte, 0);
  out.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return out;
}

/** An entry whose pax records are `pax`. */
function paxEntry(pax: string, path: string): Buffer {
  const data = Buffer.alloc(TAR_BLOCK);
  data.write(pax, "latin1");
  const block = header(encodeTarHeader("pax", pax.length), 156, "x");
  return Buffer.concat([block, data, encodeTarHeader(path, 0)]);
}

const ATTRIBUTES = "83804080";
const RECORD_A = "86416140020302" + "00";
const RECORD_B = "86416240020302" + "00";
const RECORD_OF_LEASE = "86416140020302" + "05";
const LEASE = "8205183c";
const TOMBSTONE = "81416b";
const OBJECT = "ceph/pool/-/a";

const bothObjects = { objects: [object("one", "1"), object("two", "2")] };
const twoKeys: SampleContents = { records: [record("a", "1"), record("b", "2")] };
const over: Rest = { incremental: true };

const raw: Rest = { contents: { ceph: false, snapshot: { mode: "raw", bytes: DATABASE } } };
const both: Rest = {
  contents: { ...twoKeys, ceph: false, snapshot: { mode: "both", bytes: DATABASE } },
};

/** An entry of these bytes, filled up to whole blocks. */
function piece(path: string, bytes: Uint8Array): Buffer {
  const padding = Buffer.alloc((TAR_BLOCK - (bytes.length % TAR_BLOCK)) % TAR_BLOCK);
  return Buffer.concat([encodeTarHeader(path, bytes.length), bytes, padding]);
}

/** METADATA.bin with other facts of the raw snapshot. */
function rawFacts(
  reason: RegExp,
  change: (snapshot: RawSnapshot) => object,
  rest: Rest = {},
): Fault {
  return facts(
    reason,
    (m) => {
      const { snapshot } = m.etcd ?? {};
      if (!snapshot) throw new Error("the sample has no raw snapshot");
      return { ...m, etcd: { ...m.etcd, snapshot: change(snapshot) } };
    },
    { ...raw, ...rest },
  );
}

const PIECE = "etcd/snapshot/00000000.db";
const SECOND_PIECE = "etcd/snapshot/00000001.db";

export const FORMAT_FAULTS: Readonly<Record<string, Fault>> = {
  // A sealed file.
  "chunk-of-two-frames": broken(FIRST, /not one zstd frame/, async (forger) => {
    const plain = forger.open(FileType.archive, 0, read(forger.folder, FIRST));
    const first = plain.subarray(0, 1024);
    const frames: Buffer[] = [
      Buffer.concat([compress(first.subarray(0, 512)), compress(first.subarray(512))]),
    ];
    for (let at = 1024; at < plain.length; at += 1024) {
      frames.push(compress(plain.subarray(at, at + 1024)));
    }
    await forger.replace(FIRST, forger.sealFrames(FileType.archive, 0, frames));
  }),
  "chunk-with-a-skippable-frame": broken(INDEX_NAME, /not one zstd frame/, async (forger) => {
    const plain = forger.open(FileType.index, 0, read(forger.folder, INDEX_NAME));
    const skippable = Buffer.from("502a4d1804000000deadbeef", "hex");
    const frames = [Buffer.concat([skippable, compress(plain)])];
    await forger.replace(INDEX_NAME, forger.sealFrames(FileType.index, 0, frames));
  }),
  "chunk-short-in-the-middle": broken(INDEX_NAME, /in the middle is short/, async (forger) => {
    const plain = forger.open(FileType.index, 0, read(forger.folder, INDEX_NAME));
    const frames = [compress(plain.subarray(0, 20)), compress(plain.subarray(20))];
    await forger.replace(INDEX_NAME, forger.sealFrames(FileType.index, 0, frames));
  }),
  "chunk-empty-behind-others": broken(
    FIRST,
    /without content after others/,
    async (forger) => {
      const plain = forger.open(FileType.archive, 0, read(forger.folder, FIRST));
      const frames: Buffer[] = [];
      for (let at = 0; at < plain.length; at += 1024) {
        frames.push(compress(plain.subarray(at, at + 1024)));
      }
      const whole = plain.length % 1024 === 0;
      if (!whole) throw new Error("the sample does not end with a full chunk");
      frames.push(compress(Buffer.alloc(0)));
      await forger.replace(FIRST, forger.sealFrames(FileType.archive, 0, frames));
    },
    { contents: { objects: [object("one", Buffer.alloc(4608, "x"))] } },
  ),
  "chunk-bytes-of-a-file-differ": broken(INDEX_NAME, /has chunks of 2048 bytes/, async (forger) => {
    const plain = forger.open(FileType.index, 0, read(forger.folder, INDEX_NAME));
    await forger.replace(INDEX_NAME, forger.sealFrames(FileType.index, 0, [compress(plain)], 2048));
  }),
  "key-slot-five-is-not-tried": {
    code: "WRONG_PASSPHRASE",
    file: METADATA_NAME,
    reason: /no key slot opens/,
    spoil: async ({ forger }) => {
      const slot = encodePassphraseSlot(await fixedSlot("other", "a third passphrase"));
      await forger.setSlots([slot, slot, slot, slot, forger.slot]);
    },
  },
  "key-slots-of-metadata-alone-differ": {
    code: "DAMAGED",
    file: METADATA_NAME,
    reason: /is not the one of INDEX.bin/,
    spoil: async ({ forger }) => {
      const slot = encodePassphraseSlot(await fixedSlot("other", "a third passphrase"));
      await forger.setMetadataSlots([slot]);
    },
  },
  "key-slot-of-a-wrong-length": broken(METADATA_NAME, /key slot of a wrong length/, (forger) =>
    forger.setMetadataSlots([Buffer.from("010200ffff", "hex"), forger.slot]),
  ),
  "no-key-slot": {
    code: "WRONG_PASSPHRASE",
    file: METADATA_NAME,
    reason: /no key slot opens/,
    spoil: ({ forger }) => forger.setSlots([]),
  },

  // METADATA.bin.
  "metadata-key-twice": broken(METADATA_NAME, /not CBOR/, async (forger) => {
    const plain = Buffer.from(encode(forger.metadata));
    const once = Buffer.concat([
      plain.subarray(1),
      Buffer.from(encode("format")),
      Buffer.from([1]),
    ]);
    await forger.setMetadataPlain(Buffer.concat([Buffer.from([(plain[0] as number) + 1]), once]));
  }),
  "metadata-number-not-shortest": factBytes(/not CBOR/, "\x66format\x01", "\x66format\x18\x01"),
  "metadata-number-a-float": factBytes(/not CBOR/, "\x66format\x01", "\x66format\xf9\x3c\x00"),
  "metadata-text-not-utf-8": factBytes(
    /not CBOR/,
    "\x6btoolVersion\x6a0.0.0-test",
    "\x6btoolVersion\x6a0.0.0-tes\xff",
  ),
  "metadata-text-indefinite": factBytes(/not CBOR/, "\x64full", "\x7f\x64full\xff"),
  "metadata-followed-by-more": broken(METADATA_NAME, /not CBOR/, (forger) =>
    forger.setMetadataPlain(Buffer.from([...encode(forger.metadata), 0xf6])),
  ),
  "started-at-without-milliseconds": facts(/its fact startedAt/, (m) => ({
    ...m,
    startedAt: "2026-01-02T03:04:05Z",
  })),
  "finished-on-a-day-that-is-none": facts(/its fact finishedAt/, (m) => ({
    ...m,
    finishedAt: "2026-02-30T03:04:05.000Z",
  })),
  "tool-version-of-257-bytes": facts(/its fact toolVersion/, (m) => ({
    ...m,
    toolVersion: `${"v".repeat(255)}ü`,
  })),
  "snapshot-of-257-bytes": facts(/its fact snapshot/, (m) => ({ ...m, snapshot: "s".repeat(257) })),
  "fsid-of-257-bytes": facts(/its fact ceph/, (m) => ({
    ...m,
    ceph: { fsid: "f".repeat(257), pools: ["pool"] },
  })),
  "cluster-id-of-257-bytes": facts(/its fact etcd/, (m) => ({
    ...m,
    etcd: { ...m.etcd, clusterId: "1".repeat(257) },
  })),
  "chunk-bytes-wrong": facts(/METADATA.bin of 1023/, (m) => ({ ...m, chunkBytes: 1023 })),
  "plain-bytes-wrong": facts(/plainBytes, but the files hold/, (m) => ({
    ...m,
    plainBytes: m.plainBytes + 1,
  })),
  "plain-bytes-without-the-index": broken(METADATA_NAME, /plainBytes/, async (forger) => {
    const index = forger.open(FileType.index, 0, read(forger.folder, INDEX_NAME));
    const { metadata } = forger;
    await forger.setMetadata({ ...metadata, plainBytes: metadata.plainBytes - index.length });
  }),
  "files-with-a-gap": facts(/its fact files/, (m) => ({ ...m, files: m.files.slice(1) })),
  "files-out-of-order": facts(/its fact files/, (m) => ({ ...m, files: m.files.toReversed() })),
  "pool-twice": facts(/its fact ceph/, (m) => ({
    ...m,
    ceph: { fsid: "", pools: ["pool", "pool"] },
  })),
  "pool-ids-fewer": facts(/its fact ceph/, (m) => ({
    ...m,
    ceph: { fsid: "", pools: ["pool"], poolIds: [] },
  })),
  "first-batch-without-restart": facts(/its fact etcd/, (m) => ({
    ...m,
    etcd: { ...m.etcd, firstBatch: 1 },
  })),
  "first-batch-behind-the-last": facts(
    /firstBatch is after/,
    (m) => ({ ...m, etcd: { ...m.etcd, firstBatch: 9 } }),
    { contents: { cutOff: [record("a", "void")] } },
  ),
  "base-of-its-own-id": facts(/its fact base/, (m) => ({ ...m, base: m.id }), over),
  "full-with-deletions": facts(/its fact counts/, (m) => ({
    ...m,
    counts: { ...m.counts, deletedObjects: 1 },
  })),
  "pools-other-than-in-the-index": facts(
    /under another name/,
    (m) => ({ ...m, ceph: { fsid: "", pools: ["looppool"] } }),
    { file: INDEX_NAME },
  ),
  "pools-more-than-in-the-index": facts(
    /disagree on the pools/,
    (m) => ({ ...m, ceph: { fsid: "", pools: ["pool", "more"] } }),
    { file: INDEX_NAME },
  ),
  "ceph-left-out-but-indexed": facts(
    /a pool in a backup without Ceph/,
    (m) => ({ ...m, ceph: null }),
    {
      file: INDEX_NAME,
    },
  ),
  "etcd-left-out-but-indexed": facts(/an item of etcd in/, (m) => ({ ...m, etcd: null }), {
    file: INDEX_NAME,
  }),
  "unchanged-keys-counted-wrong": facts(
    /the number of unchanged keys/,
    (m) => ({ ...m, counts: { ...m.counts, unchangedKeys: 1 } }),
    { ...over, file: INDEX_NAME },
  ),

  // INDEX.bin.
  "index-restart-without-etcd": index(
    /an item of etcd in a backup without etcd/,
    (items) => [...items, { kind: "restart" }],
    { contents: { ...bothObjects, etcd: false } },
  ),
  "index-restarts-differ": index(/disagree on the restarts/, (items) => [
    ...items.filter((item) => !isKey(item)),
    { kind: "restart" },
    ...items.filter(isKey),
  ]),
  "index-backup-twice": index(/not in order/, (items) => [items[0] as IndexItem, ...items]),
  "index-backup-behind-others": index(/after other items/, (items) => [
    ...items,
    items[0] as IndexItem,
  ]),
  "index-without-its-backup": index(/does not begin with/, (items) => items.slice(1)),
  "index-backup-of-one-byte": index(
    /backup id of 1 bytes/,
    each("backup", (item) => ({ ...item, id: item.id.subarray(0, 1) })),
  ),
  "index-of-another-id": index(
    /METADATA.bin does not name/,
    each("backup", (item) => ({ ...item, id: Buffer.alloc(16, 7) })),
  ),
  "index-full-with-a-base": index(/a base in the index of a full backup/, (items) => [
    items[0] as IndexItem,
    { kind: "backup", backup: 1, id: Buffer.alloc(16, 7) },
    ...items.slice(1),
  ]),
  "index-without-the-base": index(
    /does not begin with/,
    (items) => items.filter((item) => item.kind !== "backup" || item.backup !== 1),
    over,
  ),
  "index-of-another-base": index(
    /METADATA.bin does not name/,
    each("backup", (item) => (item.backup === 0 ? item : { ...item, id: Buffer.alloc(16, 7) })),
    over,
  ),
  "index-chain-with-a-backup-twice": index(
    /in the chain twice/,
    (items) => [
      ...items.slice(0, 2),
      { ...(items[0] as Extract<IndexItem, { kind: "backup" }>), backup: 2 },
      ...items.slice(2),
    ],
    over,
  ),
  "index-pool-out-of-order": index(
    /pools that are not in order/,
    each("pool", (item) => ({ ...item, pool: 1 })),
  ),
  "index-pool-twice": index(
    /a pool that is listed twice/,
    (items) => [...items, { kind: "pool", pool: 1, name: "pool" }],
    over,
  ),
  "index-pool-of-a-full-backup-alone": index(/disagree on the pools/, (items) => [
    ...items,
    { kind: "pool", pool: 1, name: "gone" },
  ]),
  "index-pool-not-utf8": index(
    /not one of this format/,
    each("pool", () => Buffer.from("83010062c328", "hex")),
  ),
  "index-object-of-no-pool": index(
    /of an unknown pool/,
    each("object", (item) => ({ ...item, pool: 1 })),
  ),
  "index-object-before-its-pool": index(/of an unknown pool/, (items) => [
    ...items.filter((item) => item.kind !== "pool"),
    ...items.filter((item) => item.kind === "pool"),
  ]),
  "index-number-not-shortest": index(/not one of this format/, (items) => [
    ...items,
    Buffer.from("811804", "hex"),
  ]),
  "index-length-indefinite": index(/not one of this format/, (items) => [
    ...items,
    Buffer.from("9f04ff", "hex"),
  ]),
  "index-digest-short": index(
    /not one of this format/,
    each("key", (item) => write({ ...item, digest: Buffer.alloc(15) })),
  ),
  "index-digest-wrong": index(
    /differ in an etcd record/,
    each("key", (item) => ({ ...item, digest: Buffer.alloc(16) })),
  ),
  "index-key-empty": index(
    /an empty key/,
    each("key", (item) => ({ ...item, key: Buffer.alloc(0) })),
  ),
  "index-keys-out-of-order": index(
    /keys that are not in order/,
    (items) => [...items.filter((item) => !isKey(item)), ...items.filter(isKey).toReversed()],
    { contents: twoKeys },
  ),
  "index-key-twice": index(/keys that are not in order/, (items) => [
    ...items,
    ...items.filter(isKey),
  ]),
  "index-objects-not-in-archive-order": index(/not in the archive's order/, (items) => [
    ...items.filter((item) => !isObject(item) && !isKey(item)),
    ...items.filter(isObject).toReversed(),
    ...items.filter(isKey),
  ]),
  "index-object-twice-at-one-place": index(/not in the archive's order/, (items) =>
    items.flatMap((item): IndexItem[] => (isObject(item) ? [item, item] : [item])),
  ),
  "index-place-in-no-file": index(
    /a place where no entry/,
    each("key", (item) => ({ ...item, file: 2 })),
  ),
  "index-place-within-a-block": index(
    /a place where no entry/,
    each("key", (item) => ({ ...item, offset: item.offset + 1 })),
  ),
  "index-place-in-no-backup": index(
    /not in the chain/,
    each("object", (item) => ({ ...item, backup: 1 })),
  ),
  "index-time-differs": index(
    /differ in an object/,
    each("object", (item) => ({ ...item, mtime: item.mtime + 1n })),
  ),
  "index-objects-fewer": index(/disagree on the number of objects/, (items) => {
    const last = items.findLastIndex(isObject);
    return items.filter((_, i) => i !== last);
  }),
  "index-version-negative": index(
    /not one of this format/,
    each("object", (item) => {
      const bytes = write({ ...item, version: 7n });
      const at = bytes.lastIndexOf(7, bytes.length - 4);
      bytes[at] = 0x20;
      return bytes;
    }),
  ),

  // The tar inside.
  "tar-prefix-field": tarOf(/mode, owner, link, magic or prefix/, [
    header(encodeTarHeader("tombstones/00000000.cbor", 0), 345, "etc"),
    TAR_END,
  ]),
  "tar-mode-executable": tarOf(/mode, owner, link, magic or prefix/, [
    header(encodeTarHeader("tombstones/00000000.cbor", 0), 100, "0000755"),
    TAR_END,
  ]),
  "tar-owner-name": tarOf(/mode, owner, link, magic or prefix/, [
    header(encodeTarHeader("tombstones/00000000.cbor", 0), 265, "alice"),
    TAR_END,
  ]),
  "tar-magic-of-gnu": tarOf(/mode, owner, link, magic or prefix/, [
    header(encodeTarHeader("tombstones/00000000.cbor", 0), 257, "ustar  "),
    TAR_END,
  ]),
  "pax-record-unknown": tarOf(/not of this format/, [
    paxEntry("11 mtime=1\n17 linkpath=/etc\n", OBJECT),
    TAR_END,
  ]),
  "pax-record-twice": tarOf(/duplicate pax record/, [
    paxEntry("11 mtime=1\n11 mtime=2\n", OBJECT),
    TAR_END,
  ]),
  "pax-path-short": tarOf(/has room for/, [
    paxEntry("22 path=ceph/pool/-/b\n11 mtime=1\n", OBJECT),
    TAR_END,
  ]),
  "pax-size-small": tarOf(/has room for/, [paxEntry("9 size=0\n11 mtime=1\n", OBJECT), TAR_END]),
  "pax-time-of-ten-decimals": tarOf(/pax time is wrong/, [
    paxEntry("22 mtime=1.0123456789\n", OBJECT),
    TAR_END,
  ]),
  "pax-time-of-records": tarOf(/a time on an entry that has none/, [
    paxEntry("11 mtime=1\n", "etcd/records/00000000.cbor"),
    TAR_END,
  ]),
  "object-without-time": tarOf(/without its time/, [encodeTarHeader(OBJECT, 0), TAR_END]),
  "object-path-lower-case-hex": tarOf(/path that is not of this format/, [
    encodeTarHeader("ceph/pool/-/a%2fb", 0, 1n),
    TAR_END,
  ]),
  "object-path-needless-escape": tarOf(/path that is not of this format/, [
    encodeTarHeader("ceph/pool/-/%61", 0, 1n),
    TAR_END,
  ]),
  "object-path-cut-early": tarOf(/path that is not of this format/, [
    encodeTarHeader("ceph/pool/-/aaa%/aaa", 0, 1n),
    TAR_END,
  ]),
  "object-path-uncut": tarOf(/path that is not of this format/, [
    encodeTarHeader(`ceph/pool/-/${"a".repeat(241)}`, 0, 1n),
    TAR_END,
  ]),
  "number-of-seven-digits": tarOf(/path that is not of this format/, [
    entry("tombstones/0000000.cbor", TOMBSTONE),
    TAR_END,
  ]),
  "number-of-nine-digits": tarOf(/path that is not of this format/, [
    entry("tombstones/000000000.cbor", TOMBSTONE),
    TAR_END,
  ]),
  "tar-padding-not-zero": changedTar(/bytes between the entries/, (whole) => {
    const out = Buffer.from(whole);
    // The end of the block of pax records before the first object.
    out[2 * TAR_BLOCK - 1] = 1;
    return out;
  }),
  "tar-of-three-zero-blocks": changedTar(/after the end of the tar/, (whole) =>
    Buffer.concat([whole, Buffer.alloc(TAR_BLOCK)]),
  ),
  "attributes-of-two-items": tarOf(/not one item of CBOR/, [
    entry(`ceph-attrs/pool/-/a.cbor`, ATTRIBUTES + ATTRIBUTES),
    TAR_END,
  ]),
  "attributes-empty": tarOf(/not one item of CBOR/, [
    encodeTarHeader("ceph-attrs/pool/-/a.cbor", 0),
    TAR_END,
  ]),
  "omap-page-of-two-items": tarOf(/not one item of CBOR/, [
    entry("ceph-attrs/pool/-/a.cbor", ATTRIBUTES),
    entry("ceph-omap/pool/-/a/00000001.cbor", "8080"),
    TAR_END,
  ]),
  "omap-page-zero": tarOf(/omap out of order/, [
    entry("ceph-attrs/pool/-/a.cbor", ATTRIBUTES),
    entry("ceph-omap/pool/-/a/00000000.cbor", "80"),
    TAR_END,
  ]),
  "omap-page-without-attributes": tarOf(/omap out of order/, [
    entry("ceph-omap/pool/-/a/00000001.cbor", "80"),
    TAR_END,
  ]),
  "object-in-two-files": tarOf(/attributes without their object/, [
    entry("ceph-attrs/pool/-/two.cbor", ATTRIBUTES),
    TAR_END,
  ]),
  "torn-with-content": tarOf(/torn entry with content/, [
    encodeTarHeader(OBJECT, 0, 1n),
    entry("ceph-torn/pool/-/a", "00"),
    TAR_END,
  ]),
  "torn-twice": tarOf(/torn entry without an object before it/, [
    encodeTarHeader(OBJECT, 0, 1n),
    encodeTarHeader("ceph-torn/pool/-/a", 0),
    encodeTarHeader("ceph-torn/pool/-/a", 0),
    TAR_END,
  ]),
  "torn-of-another-object": tarOf(/are not adjacent/, [
    encodeTarHeader(OBJECT, 0, 1n),
    encodeTarHeader("ceph-torn/pool/-/b", 0),
    TAR_END,
  ]),
  "object-of-no-pool": tarOf(/pool that METADATA.bin does not name/, [
    encodeTarHeader("ceph/other/-/a", 0, 1n),
    TAR_END,
  ]),
  "records-numbered-from-one": tarOf(/records 1 out of order/, [
    entry("etcd/records/00000001.cbor", RECORD_A),
    TAR_END,
  ]),
  "records-number-twice": tarOf(
    /records 0 out of order/,
    [
      entry("etcd/records/00000000.cbor", RECORD_A),
      entry("etcd/records/00000000.cbor", RECORD_B),
      TAR_END,
    ],
    { contents: { records: [record("a", ""), record("b", "")] } },
  ),
  "leases-numbered-from-one": tarOf(/leases 1 out of order/, [
    entry("etcd/leases/00000001.cbor", LEASE),
    TAR_END,
  ]),
  "tombstones-numbered-from-one": tarOf(
    /tombstones 1 out of order/,
    [entry("tombstones/00000001.cbor", TOMBSTONE), TAR_END],
    over,
  ),
  "records-out-of-order": tarOf(/not in key order/, [
    entry("etcd/records/00000000.cbor", RECORD_B + RECORD_A),
    TAR_END,
  ]),
  "record-twice": tarOf(
    /not in key order/,
    [
      entry("etcd/records/00000000.cbor", RECORD_A),
      entry("etcd/records/00000001.cbor", RECORD_A),
      TAR_END,
    ],
    { contents: { records: [record("a", "")] } },
  ),
  "record-of-an-empty-key": tarOf(/empty key/, [
    entry("etcd/records/00000000.cbor", "86404002030200"),
    TAR_END,
  ]),
  "record-of-five-items": tarOf(/not CBOR of this format/, [
    entry("etcd/records/00000000.cbor", "854161400203" + "02"),
    TAR_END,
  ]),
  "record-number-not-shortest": tarOf(/not CBOR of this format/, [
    entry("etcd/records/00000000.cbor", "8641614018020302" + "00"),
    TAR_END,
  ]),
  "record-lease-beyond-64-bits": tarOf(/not CBOR of this format/, [
    entry("etcd/records/00000000.cbor", "864161400203021b8000000000000000"),
    TAR_END,
  ]),
  "lease-behind-its-records": tarOf(
    /lease after the first record/,
    [
      entry("etcd/records/00000000.cbor", RECORD_OF_LEASE),
      entry("etcd/leases/00000000.cbor", LEASE),
      TAR_END,
    ],
    { contents: { records: [record("a", "", 5n)] } },
  ),
  "lease-of-number-zero": tarOf(/lease with the id 0/, [
    entry("etcd/leases/00000000.cbor", "8200183c"),
    TAR_END,
  ]),
  "records-without-etcd": tarOf(
    /etcd entry in a backup without etcd/,
    [entry("etcd/records/00000000.cbor", RECORD_A), TAR_END],
    { contents: { ...bothObjects, etcd: false } },
  ),
  "object-without-ceph": tarOf(
    /pool that METADATA.bin does not name/,
    [encodeTarHeader(OBJECT, 0, 1n), TAR_END],
    { contents: { ...twoKeys, ceph: false } },
  ),
  "tombstones-in-a-full-backup": tarOf(/tombstones in a full backup/, [
    entry("tombstones/00000000.cbor", TOMBSTONE),
    TAR_END,
  ]),
  "tombstone-of-an-empty-key": tarOf(
    /tombstone of an empty key/,
    [entry("tombstones/00000000.cbor", "8140"), TAR_END],
    over,
  ),
  "tombstone-of-three-items": tarOf(
    /not CBOR of this format/,
    [entry("tombstones/00000000.cbor", "8364706f6f6c4040"), TAR_END],
    over,
  ),
  "tombstone-of-an-object-without-ceph": tarOf(
    /tombstone of an object without Ceph/,
    [entry("tombstones/00000000.cbor", "8464706f6f6c40404161"), TAR_END],
    { ...over, contents: { ...twoKeys, ceph: false } },
  ),
  "tombstone-of-no-pool": {
    ...broken(FIRST, /pool that is not in the index/, () => Promise.resolve()),
    incremental: true,
    contents: {
      objects: [object("one", "1")],
      tombstones: [{ kind: "object", ...object("gone", "", { pool: "elsewhere" }) }],
    },
  },

  // Raw snapshots of etcd.
  "raw-mode-unknown": facts(
    /its fact etcd/,
    (m) => ({ ...m, etcd: { ...m.etcd, mode: "database" } }),
    raw,
  ),
  "raw-mode-without-snapshot": facts(
    /its fact etcd/,
    (m) => ({ ...m, etcd: { ...m.etcd, snapshot: null } }),
    raw,
  ),
  "raw-snapshot-without-mode": facts(
    /its fact etcd/,
    (m) => ({ ...m, etcd: { ...m.etcd, mode: "records" } }),
    raw,
  ),
  "raw-revision-of-the-backup-differs": facts(
    /its fact etcd/,
    (m) => ({ ...m, etcd: { ...m.etcd, revision: 8 } }),
    raw,
  ),
  "raw-with-a-restart": facts(
    /its fact etcd/,
    (m) => ({ ...m, etcd: { ...m.etcd, restarts: 1 } }),
    raw,
  ),
  "raw-compacted-beyond-its-revision": rawFacts(/its fact etcd/, (s) => ({
    ...s,
    compactRevision: s.revision + 1,
  })),
  "raw-of-another-revision-than-the-manifest": broken(
    MANIFEST_NAME,
    /differ in etcdSnapshot/,
    async (forger) => {
      const path = join(forger.folder, MANIFEST_NAME);
      const manifest = read(forger.folder, MANIFEST_NAME).toString();
      writeFileSync(path, manifest.replace('"etcdSnapshot": 9', '"etcdSnapshot": 8'));
    },
    raw,
  ),
  "raw-left-out-of-the-manifest": broken(
    MANIFEST_NAME,
    /differ in etcdSnapshot/,
    async (forger) => {
      const path = join(forger.folder, MANIFEST_NAME);
      const manifest = read(forger.folder, MANIFEST_NAME).toString();
      writeFileSync(path, manifest.replace('  "etcdSnapshot": 9,\n', ""));
    },
    raw,
  ),
  "raw-in-the-manifest-alone": broken(MANIFEST_NAME, /differ in etcdSnapshot/, async (forger) => {
    const path = join(forger.folder, MANIFEST_NAME);
    const manifest = read(forger.folder, MANIFEST_NAME).toString();
    writeFileSync(path, manifest.replace('  "files"', '  "etcdSnapshot": 9,\n  "files"'));
  }),
  "raw-of-no-bytes": rawFacts(/its fact etcd/, (s) => ({ ...s, bytes: 0 })),
  "raw-sha256-of-63-digits": rawFacts(/its fact etcd/, (s) => ({
    ...s,
    sha256: s.sha256.slice(1),
  })),
  "raw-sha256-wrong": rawFacts(/its SHA-256 of the raw snapshot/, (s) => ({
    ...s,
    sha256: "0".repeat(64),
  })),
  "raw-bytes-more": rawFacts(
    /has 20512 bytes instead of 20513/,
    (s) => ({ ...s, bytes: s.bytes + 1 }),
    { file: FIRST },
  ),
  "raw-first-piece-after-the-last": rawFacts(/but the archive holds 0/, (s) => ({
    ...s,
    firstPiece: 1,
  })),
  "raw-in-another-file": rawFacts(/is not where METADATA.bin/, (s) => ({ ...s, file: 1 }), {
    file: FIRST,
  }),
  "raw-piece-short": tarOf(
    /has 20511 bytes instead of 20512/,
    [piece(PIECE, DATABASE.subarray(1)), TAR_END],
    raw,
  ),
  "raw-piece-long": tarOf(
    /has 20513 bytes instead of 20512/,
    [piece(PIECE, Buffer.concat([DATABASE, Buffer.alloc(1)])), TAR_END],
    raw,
  ),
  "raw-piece-missing": tarOf(/but the archive holds 0/, [TAR_END], {
    ...raw,
    file: METADATA_NAME,
  }),
  "raw-piece-after-the-end": tarOf(
    /comes after its end/,
    [piece(PIECE, DATABASE), piece(SECOND_PIECE, Buffer.alloc(1)), TAR_END],
    raw,
  ),
  "raw-piece-twice": tarOf(
    /snapshot 0 out of order/,
    [piece(PIECE, DATABASE), piece(PIECE, DATABASE), TAR_END],
    raw,
  ),
  "raw-piece-after-other-entries": tarOf(
    /is not where METADATA.bin/,
    [entry("etcd/leases/00000000.cbor", LEASE), piece(PIECE, DATABASE), TAR_END],
    both,
  ),
  "raw-piece-named-as-cbor": tarOf(
    /path that is not of this format/,
    [piece("etcd/snapshot/00000000.cbor", DATABASE), TAR_END],
    raw,
  ),
  "raw-piece-outside-of-etcd": tarOf(
    /path that is not of this format/,
    [piece("snapshot/00000000.db", DATABASE), TAR_END],
    raw,
  ),
  "raw-piece-of-no-snapshot": tarOf(
    /raw snapshot that METADATA.bin does not name/,
    [piece(PIECE, DATABASE), TAR_END],
    { contents: twoKeys },
  ),
  "raw-piece-without-etcd": tarOf(
    /raw snapshot that METADATA.bin does not name/,
    [piece(PIECE, DATABASE), TAR_END],
    { contents: { ...bothObjects, etcd: false } },
  ),
  "raw-alone-with-leases": tarOf(
    /beside a raw snapshot alone/,
    [piece(PIECE, DATABASE), entry("etcd/leases/00000000.cbor", LEASE), TAR_END],
    raw,
  ),
  "raw-alone-with-records": tarOf(
    /beside a raw snapshot alone/,
    [piece(PIECE, DATABASE), entry("etcd/records/00000000.cbor", RECORD_A), TAR_END],
    raw,
  ),
  "raw-alone-with-a-deleted-key": tarOf(
    /beside a raw snapshot alone/,
    [piece(PIECE, DATABASE), entry("tombstones/00000000.cbor", TOMBSTONE), TAR_END],
    { ...raw, ...over },
  ),
  "raw-alone-with-keys-in-the-index": facts(
    /an item of etcd in a backup without records/,
    (m) => ({ ...m, etcd: { ...m.etcd, mode: "raw" } }),
    { ...both, file: INDEX_NAME },
  ),
  "header-reserved-not-zero": broken(INDEX_NAME, /reserved bytes/, async (forger) => {
    const parts = splitSealed(read(forger.folder, INDEX_NAME));
    const bytes = Buffer.from(parts.header);
    bytes[9] = 1;
    await forger.replace(INDEX_NAME, joinSealed({ ...parts, header: bytes }));
  }),
};
