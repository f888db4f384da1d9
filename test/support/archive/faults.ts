import { rmSync } from "node:fs";
import { join } from "node:path";
import { encode } from "cborg";
import { compress } from "zstd-napi";
import type { ArchiveErrorCode } from "../../../src/archive/errors.js";
import { FileType, INDEX_NAME, MANIFEST_NAME, METADATA_NAME } from "../../../src/archive/format.js";
import { encodeTarHeader, TAR_END } from "../../../src/archive/tar/tar-header.js";
import { boast, bomb } from "./bombs.js";
import {
  entry,
  type Fault,
  FIRST,
  forged,
  read,
  SECOND,
  type Spoiling,
  tar,
  write,
} from "./fault.js";
import { joinSealed, splitSealed } from "./forge.js";
import { FORMAT_FAULTS } from "./format-faults.js";

/** A fault of bytes: replaces those of `file`. */
function changed(
  file: string,
  change: (bytes: Buffer, s: Spoiling) => Uint8Array | string,
  code: ArchiveErrorCode = "DAMAGED",
  named = file,
): Fault {
  return { code, file: named, spoil: (s) => write(s, file, change(read(s.folder, file), s)) };
}

function flipped(bytes: Buffer, at: number): Buffer {
  const out = Buffer.from(bytes);
  const place = at < 0 ? out.length + at : at;
  out[place] = (out[place] as number) ^ 1;
  return out;
}

function text(bytes: Buffer, from: string | RegExp, to: string): string {
  return bytes.toString("utf8").replace(from, to);
}

function missing(name: string): Fault {
  return { code: "MISSING_FILE", file: name, spoil: (s) => rmSync(join(s.folder, name)) };
}

function chunks(change: (all: readonly Buffer[], s: Spoiling) => readonly Buffer[]): Fault {
  return changed(FIRST, (bytes, s) => {
    const parts = splitSealed(bytes);
    return joinSealed({ ...parts, chunks: change(parts.chunks, s) });
  });
}

/** METADATA.bin with `value` at `at` in its passphrase slot, with a matching manifest. */
function kdf(at: number, value: number): Fault {
  return forged(METADATA_NAME, async (forger) => {
    const bytes = read(forger.folder, METADATA_NAME);
    bytes.writeUInt32LE(value, 38 + 3 + at);
    await forger.setMetadataFile(bytes);
  });
}

function bombIn(type: FileType, name: string, frame: Buffer): Fault {
  return forged(name, async (forger) => {
    const file = forger.sealFrames(type, 0, [frame]);
    if (type === FileType.metadata) await forger.setMetadataFile(file);
    else await forger.replace(name, file);
  });
}

const symlink = encodeTarHeader("ceph/pool/-/link", 0);
symlink.write("2", 156, "latin1");
// "2" instead of "0" increases the checksum of the header by two.
const sum = Number.parseInt(symlink.toString("latin1", 148, 154), 8) + 2;
symlink.write(sum.toString(8).padStart(6, "0"), 148, "latin1");

/** Every fault that has a frozen backup in fixtures/bad, by the name of its folder. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  ...FORMAT_FAULTS,
  "archive-bit": changed(FIRST, (bytes) => flipped(bytes, -20)),
  "archive-extended": changed(FIRST, (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])),
  "archive-header-bit": changed(FIRST, (bytes) => flipped(bytes, 140)),
  "archive-missing": missing(SECOND),
  "archive-of-another-backup": changed(FIRST, (_, s) => read(s.twin, FIRST), "DOES_NOT_BELONG"),
  "archive-truncated": changed(FIRST, (bytes) => bytes.subarray(0, -1)),
  "archive-under-another-number": {
    code: "DOES_NOT_BELONG",
    file: FIRST,
    spoil: ({ forger }) => forger.replace(FIRST, read(forger.folder, SECOND)),
  },
  "archive-without-its-last-chunk": forged(FIRST, (forger) => {
    const parts = splitSealed(read(forger.folder, FIRST));
    return forger.replace(FIRST, joinSealed({ ...parts, chunks: parts.chunks.slice(0, -1) }));
  }),
  "attributes-without-object": tar(entry("ceph-attrs/pool/-/a.cbor", "83804080"), TAR_END),
  "bomb-in-archive": bombIn(FileType.archive, FIRST, bomb(1000)),
  "bomb-in-index": bombIn(FileType.index, INDEX_NAME, bomb(1000)),
  "bomb-in-metadata": bombIn(FileType.metadata, METADATA_NAME, bomb(1000)),
  "chunk-length-absurd": changed(FIRST, (bytes) => {
    const at = splitSealed(bytes).header.length;
    return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(4, 255), bytes.subarray(at + 4)]);
  }),
  "chunk-of-another-backup": chunks((all, s) =>
    all.with(2, splitSealed(read(s.twin, FIRST)).chunks[2] as Buffer),
  ),
  "chunk-twice": chunks((all) => all.with(3, all[2] as Buffer)),
  "chunks-swapped": chunks((all) => all.with(2, all[3] as Buffer).with(3, all[2] as Buffer)),
  "chunk-size-absurd": forged(INDEX_NAME, (forger) => {
    const frames = [compress(Buffer.from("x"))];
    return forger.replace(INDEX_NAME, forger.sealFrames(FileType.index, 0, frames, 0xffffffff));
  }),
  "counts-differ": forged(METADATA_NAME, (forger) => {
    const { counts } = forger.metadata;
    return forger.setMetadata({ ...forger.metadata, counts: { ...counts, deletedKeys: 1 } });
  }),
  "frame-claims-all-memory": bombIn(FileType.archive, FIRST, boast(1n << 60n)),
  "index-bit": changed(INDEX_NAME, (bytes) => flipped(bytes, -20)),
  "index-ends-within-item": forged(INDEX_NAME, (f) =>
    f.replaceIndex(Buffer.from("83000041", "hex")),
  ),
  "index-item-of-absurd-length": forged(INDEX_NAME, (f) =>
    f.replaceIndex(Buffer.from("8300005b0000ffffffffffff00", "hex")),
  ),
  "index-item-of-wrong-shape": forged(INDEX_NAME, (f) =>
    f.replaceIndex(Buffer.from("8118ff", "hex")),
  ),
  "index-missing": missing(INDEX_NAME),
  "index-names-less": forged(INDEX_NAME, (f) => f.replaceIndex(Buffer.alloc(0))),
  "index-of-another-backup": changed(
    INDEX_NAME,
    (_, s) => read(s.twin, INDEX_NAME),
    "DOES_NOT_BELONG",
  ),
  "kdf-lanes-absurd": kdf(24, 0xffffff),
  "kdf-memory-absurd": kdf(16, 0xffffffff),
  "kdf-passes-absurd": kdf(20, 0xffffffff),
  "manifest-kind-changed": changed(MANIFEST_NAME, (bytes) =>
    text(bytes, '"full",\n  "base": null', `"incremental",\n  "base": "${"0".repeat(32)}"`),
  ),
  "manifest-later-version": changed(
    MANIFEST_NAME,
    (bytes) => text(bytes, '"format": 1', '"format": 2'),
    "UNSUPPORTED_VERSION",
  ),
  "manifest-not-json": changed(MANIFEST_NAME, (bytes) => bytes.subarray(0, -3)),
  "manifest-of-another-backup": changed(
    MANIFEST_NAME,
    (_, s) => read(s.twin, MANIFEST_NAME),
    "DOES_NOT_BELONG",
    METADATA_NAME,
  ),
  "manifest-reformatted": changed(MANIFEST_NAME, (bytes) => text(bytes, /\n$/, "")),
  "manifest-time-changed": changed(MANIFEST_NAME, (bytes) =>
    text(bytes, "2026-01-02", "2026-01-03"),
  ),
  "metadata-bit": changed(METADATA_NAME, (bytes) => flipped(bytes, -20)),
  "metadata-incomplete": forged(METADATA_NAME, (f) =>
    f.setMetadataPlain(Buffer.from(encode({ format: 1 }))),
  ),
  "metadata-later-version": {
    code: "UNSUPPORTED_VERSION",
    file: METADATA_NAME,
    spoil: async ({ forger }) => {
      const bytes = read(forger.folder, METADATA_NAME);
      bytes.write("BKPTOOL2", "latin1");
      await forger.setMetadataFile(bytes);
    },
  },
  "metadata-missing": missing(METADATA_NAME),
  "metadata-not-cbor": forged(METADATA_NAME, (f) => f.setMetadataPlain(Buffer.from("ff", "hex"))),
  "metadata-of-absurd-length": forged(METADATA_NAME, (f) =>
    f.setMetadataPlain(Buffer.from("bb0000ffffffffffff", "hex")),
  ),
  "not-a-backup": {
    code: "NOT_A_BACKUP",
    file: null,
    spoil: (s) => {
      for (const name of [FIRST, SECOND, INDEX_NAME, METADATA_NAME, MANIFEST_NAME]) {
        rmSync(join(s.folder, name));
      }
      write(s, "notes.txt", "something else\n");
    },
  },
  "omap-pages-out-of-order": tar(
    entry("ceph-attrs/pool/-/a.cbor", "83804080"),
    entry("ceph-omap/pool/-/a/00000002.cbor", "80"),
    TAR_END,
  ),
  "record-of-absurd-length": tar(entry("etcd/records/00000000.cbor", "865a7fffffff"), TAR_END),
  "tar-checksum-wrong": tar(flipped(encodeTarHeader("ceph/pool/-/a", 0), 0), TAR_END),
  "tar-entry-of-absurd-size": tar(
    encodeTarHeader("ceph-attrs/pool/-/a.cbor", Number.MAX_SAFE_INTEGER),
    TAR_END,
  ),
  "tar-path-escapes": tar(encodeTarHeader("ceph/pool/-/../../../etc/passwd", 0), TAR_END),
  "tar-symlink": tar(symlink, TAR_END),
  "tar-without-end": tar(encodeTarHeader("ceph/pool/-/a", 0)),
  unfinished: {
    code: "UNFINISHED_BACKUP",
    file: null,
    spoil: (s) => rmSync(join(s.folder, MANIFEST_NAME)),
  },
  "wrong-passphrase": { code: "WRONG_PASSPHRASE", file: METADATA_NAME, spoil: () => {} },
};
