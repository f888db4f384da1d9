import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FileType, METADATA_NAME } from "../../../src/archive/format.js";
import type { Metadata } from "../../../src/archive/metadata.js";
import { Forger, joinSealed, splitSealed } from "./forge.js";
import { FORMAT_FEATURES } from "./format-features.js";
import { FULL_CONTENTS, noise } from "./full-sample.js";
import {
  object,
  record,
  type SampleContents,
  type SampleOptions,
  samplePassphrase,
  writeSample,
} from "./sample.js";

/** Writes a backup with one feature; the base of an incremental goes to `base`. */
export type Feature = (folder: string, base: string) => Promise<{ metadata: Metadata }>;

const passphrase = samplePassphrase();

function holds(contents: SampleContents, options: SampleOptions = {}): Feature {
  return (folder) => writeSample(folder, contents, { passphrase, ...options });
}

function pages(count: number): [Buffer, Buffer][][] {
  return Array.from({ length: count }, (_, page) =>
    Array.from({ length: 3 }, (_, i) => [Buffer.from(`${page} ${i}`), noise(`${page} ${i}`, 20)]),
  );
}

/** Every feature that has a frozen backup in fixtures/good, by the name of its folder. */
export const FEATURES: Readonly<Record<string, Feature>> = {
  ...FORMAT_FEATURES,
  attributes: holds({
    objects: [
      object("xattrs", "", { xattrs: [[Buffer.from("user.a"), noise("a", 40)]] }),
      object("omap header", "data", { omapHeader: Buffer.from([0, 1, 2]) }),
      object("omap", "data", { omap: [[Buffer.from([0xff]), Buffer.alloc(0)]] }),
    ],
  }),
  "ceph-alone": holds({ objects: [object("o", "data")], etcd: false }),
  empty: holds({}),
  "etcd-alone": holds({ records: [record("k", "v")], ceph: false }),
  "etcd-leases": holds({
    leases: [
      { id: 1n, grantedTtl: 60 },
      { id: 0x7fffffffffffffffn, grantedTtl: 4_000_000_000 },
    ],
    records: [record("a", "1", 1n), record("b", "2", 0x7fffffffffffffffn)],
  }),
  "etcd-started-again": holds({
    cutOff: [record("a", "void"), record("b", "void")],
    records: [record("a", "after"), record("c", "after")],
  }),
  everything: holds(FULL_CONTENTS, { chunkBytes: 700, archiveBytes: 4000 }),
  incremental: async (folder, base) => {
    const old = [object("stays", "old"), object("goes", "old"), object("changes", "old")];
    const full = await writeSample(
      base,
      { objects: old, records: [record("k", "v")] },
      { passphrase },
    );
    const { metadata, keys } = full;
    return writeSample(
      folder,
      {
        objects: [object("changes", "new")],
        unchanged: { objects: [object("stays", "old")], at: { backup: 1, file: 0, offset: 0 } },
        tombstones: [
          { kind: "object", ...object("goes", "") },
          { kind: "key", key: Buffer.from("k") },
        ],
      },
      { passphrase, base: { id: metadata.id, keys } },
    );
  },
  "key-slot-of-a-later-type": async (folder) => {
    const { keys, metadata } = await writeSample(
      folder,
      { records: [record("k", "v")] },
      { passphrase },
    );
    const forger = new Forger(folder, keys, metadata);
    const slots = [Buffer.from([2, 3, 0, 7, 7, 7]), keys.slotBytes, Buffer.from([200, 0, 0])];
    const header = forger.header(FileType.metadata, 0, metadata.chunkBytes, slots);
    const { chunks } = splitSealed(readFileSync(join(folder, METADATA_NAME)));
    await forger.setMetadataFile(joinSealed({ header, chunks }));
    return { metadata };
  },
  "many-chunks": holds({ objects: [object("o", noise("o", 9000))] }, { chunkBytes: 100 }),
  "many-files": holds(
    { objects: Array.from({ length: 12 }, (_, i) => object(`${i}`, noise(`${i}`, 300))) },
    { chunkBytes: 1024, archiveBytes: 1000 },
  ),
  "names-of-any-bytes": holds({
    objects: [
      object("../../etc/passwd", "slashes"),
      object("..", "dots"),
      object("-", "a dash"),
      object("a\nb\0", "control"),
      object(Buffer.from([0xff, 0xfe, 0x80]), "no UTF-8"),
      object("n".repeat(900), "long"),
      object("日本語", "UTF-8", { pool: "pööl/1" }),
      object("same", "namespace", { namespace: Buffer.from("one") }),
      object("same", "locator", { locator: Buffer.from("left") }),
      object("same", "both", { namespace: Buffer.from("one"), locator: Buffer.from("left") }),
    ],
  }),
  "omap-pages": holds({
    objects: [object("o", "data", { omap: pages(1)[0] ?? [], omapPages: pages(3) })],
  }),
  "times-before-1970": holds({
    objects: [object("a", "", { mtime: -1n }), object("b", "", { mtime: -(2n ** 62n) })],
  }),
  "torn-object": holds({
    objects: [
      object("o", "at last", { torn: 2, xattrs: [[Buffer.from("a"), Buffer.from("b")]] }),
      object("p", "whole"),
    ],
  }),
};
