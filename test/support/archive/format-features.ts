import { encode } from "cborg";
import { DATABASE, longDatabase } from "./database.js";
import { encodePassphraseSlot } from "../../../src/archive/header.js";
import type { Feature } from "./features.js";
import { Forger } from "./forge.js";
import { noise } from "./full-sample.js";
import {
  object,
  record,
  type SampleContents,
  type SampleOptions,
  samplePassphrase,
  writeSample,
} from "./sample.js";
import { fixedKeys, fixedSlot } from "./fixed-keys.js";

/** Features that docs/format.md allows, with fixed keys. */

const passphrase = samplePassphrase();
const KEYS: SampleContents = { records: [record("k", "v")] };
const XATTRS = { xattrs: [[Buffer.from("user.a"), Buffer.from("b")]] } as const;
/** Split after 240, within the escape of the last byte. */
const CUT_IN_ESCAPE = Buffer.concat([Buffer.alloc(239, "a"), Buffer.from([0xff])]);

function holds(label: string, contents: SampleContents, options: SampleOptions = {}): Feature {
  return async (folder) =>
    writeSample(folder, contents, { passphrase, keys: await fixedKeys(label), ...options });
}

/** A backup of one record that was changed with the passphrase. */
function forged(label: string, forge: (forger: Forger) => Promise<void>): Feature {
  return async (folder) => {
    const keys = await fixedKeys(label);
    const { metadata } = await writeSample(folder, KEYS, { passphrase, keys });
    const forger = new Forger(folder, keys, metadata);
    await forge(forger);
    return { metadata };
  };
}

export const FORMAT_FEATURES: Readonly<Record<string, Feature>> = {
  "chunks-all-full": holds(
    "chunks",
    { objects: [object("o", noise("o", 2000))] },
    { chunkBytes: 512 },
  ),
  "key-slot-four-opens": forged("slots", async (forger) => {
    const other = encodePassphraseSlot(await fixedSlot("other", "another passphrase"));
    const later = Buffer.from([9, 1, 0, 7]);
    await forger.setMetadataSlots([other, later, other, other, forger.slot, other]);
  }),
  "lease-without-item": holds("lease", {
    noLeases: true,
    records: [record("a", "1", 5n), record("b", "2")],
  }),
  "metadata-of-a-later-writer": forged("later", async (forger) => {
    const facts = {
      ...forger.metadata,
      later: [1, { more: "text" }],
      counts: { ...forger.metadata.counts, later: 1 },
    };
    // The keys in another order than that of the writer.
    const reversed = encode(facts, {
      mapSorter: ([a], [b]) => (JSON.stringify(a) < JSON.stringify(b) ? 1 : -1),
    });
    await forger.setMetadataPlain(Buffer.from(reversed));
  }),
  "names-cut-at-240": holds("names", {
    objects: [
      object("n".repeat(240), "240", XATTRS),
      object("n".repeat(241), "241", XATTRS),
      object("n".repeat(480), "480", XATTRS),
      object("n".repeat(481), "481", XATTRS),
      object(CUT_IN_ESCAPE, "escape", XATTRS),
      object("o", "locator", { ...XATTRS, locator: Buffer.alloc(300, "l") }),
      object("o", "namespace", { ...XATTRS, namespace: Buffer.alloc(300, "s") }),
      object("page", "pages", {
        name: Buffer.alloc(241, "p"),
        omap: [[Buffer.from("k"), Buffer.from("v")]],
        omapPages: [[[Buffer.from("l"), Buffer.from("w")]]],
      }),
    ],
  }),
  "object-twice": holds("twice", { objects: [object("o", "first"), object("o", "second")] }),
  "pool-of-the-base-alone": async (folder, base) => {
    const old = { objects: [object("o", "data", { pool: "gone" }), object("p", "data")] };
    const full = await writeSample(base, old, { passphrase, keys: await fixedKeys("pool base") });
    return writeSample(
      folder,
      {
        objects: [object("p", "new data")],
        gonePools: ["gone"],
        tombstones: [{ kind: "object", ...object("o", "", { pool: "gone" }) }],
      },
      { passphrase, keys: await fixedKeys("pool"), base: { id: full.metadata.id } },
    );
  },
  "raw-snapshot": holds("raw", {
    ceph: false,
    // The second piece is short.
    snapshot: { mode: "raw", bytes: longDatabase((16 << 20) + 1) },
  }),
  "raw-snapshot-after-void-pieces": holds("void pieces", {
    snapshot: {
      mode: "raw",
      bytes: DATABASE,
      attempts: [Buffer.alloc(0), noise("first", 200), noise("second", 5000)],
    },
  }),
  "raw-snapshot-beside-records": holds(
    "both",
    {
      objects: [object("o", noise("o", 900))],
      snapshot: { mode: "both", bytes: DATABASE },
      leases: [{ id: 5n, grantedTtl: 60 }],
      records: [record("a", "1"), record("b", "2", 5n)],
    },
    { chunkBytes: 512 },
  ),
  "raw-snapshot-over-records": async (folder, base) => {
    const full = await writeSample(base, KEYS, { passphrase, keys: await fixedKeys("raw base") });
    const snapshot = { mode: "raw", bytes: DATABASE } as const;
    return writeSample(
      folder,
      { snapshot },
      { passphrase, keys: await fixedKeys("raw over"), base: { id: full.metadata.id } },
    );
  },
  "records-with-digests": holds("digests", {
    digests: true,
    records: [record("a", "1"), record("b", "2", 5n), record("c", "")],
    leases: [{ id: 5n, grantedTtl: 60 }],
  }),
  "snapshot-named": holds("named", KEYS, {
    snapshot: "v2/Full-00000000-00000009-1767323045",
  }),
  "torn-in-another-file": holds(
    "torn",
    { objects: [object("o", noise("o", 700), { torn: 1 }), object("p", "data")] },
    { chunkBytes: 512, archiveBytes: 900 },
  ),
  "versions-of-64-bits": holds("versions", {
    objects: [object("o", "data", { version: 2n ** 64n - 1n })],
  }),
};
