import test from "ava";
import { encode } from "cborg";
import fc from "fast-check";
import { ArchiveError } from "../../src/archive/errors.js";
import { decodeManifest, encodeManifest, type Manifest } from "../../src/archive/manifest.js";
import {
  checkManifest,
  decodeMetadata,
  encodeMetadata,
  type Metadata,
} from "../../src/archive/metadata.js";

const hex = (digits: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: digits, maxLength: digits });
const files = fc.array(
  fc.record({
    name: fc.constantFrom("ARCHIVE00000.bin", "ARCHIVE99999.bin", "INDEX.bin"),
    size: fc.maxSafeNat(),
    sha256: hex(64),
  }),
  { maxLength: 4 },
);
const kindAndBase = fc.oneof(
  fc.record({ kind: fc.constant("full" as const), base: fc.constant(null) }),
  fc.record({ kind: fc.constant("incremental" as const), base: hex(32) }),
);
const metadata: fc.Arbitrary<Metadata> = fc
  .tuple(kindAndBase, hex(32), files, fc.string(), fc.maxSafeNat())
  .map(([kind, id, list, text, number]) => ({
    format: 1,
    id,
    ...kind,
    startedAt: "2026-01-02T03:04:05.000Z",
    finishedAt: text,
    toolVersion: text,
    chunkBytes: 1 + (number % 1024),
    plainBytes: number,
    ceph: number % 2 === 0 ? null : { fsid: text, pools: [text, "pool"] },
    etcd:
      number % 3 === 0 ? null : { clusterId: text, revision: number, firstBatch: 0, restarts: 0 },
    counts: {
      objects: number,
      objectBytes: number,
      unchangedObjects: 0,
      deletedObjects: 0,
      vanishedObjects: 0,
      missingObjects: 0,
      records: 0,
      unchangedKeys: 0,
      deletedKeys: 0,
    },
    files: list,
  }));

function manifestOf(m: Metadata): Manifest {
  const { format, id, kind, base, startedAt, finishedAt } = m;
  const own = { name: "METADATA.bin", size: 1, sha256: "0".repeat(64) };
  return { format, id, kind, base, startedAt, finishedAt, files: [...m.files, own] };
}

function codeOf(read: () => unknown): string {
  try {
    read();
    return "read";
  } catch (error) {
    if (error instanceof ArchiveError) return error.code;
    throw error;
  }
}

test("facts and manifest come back as they were written, and agree", (t) => {
  fc.assert(
    fc.property(metadata, (m) => {
      const manifest = decodeManifest(encodeManifest(manifestOf(m)));
      t.deepEqual(manifest, manifestOf(m));
      const facts = decodeMetadata(encodeMetadata(m));
      t.deepEqual(facts, m);
      t.notThrows(() => checkManifest(manifest, facts));
    }),
  );
});

test("a manifest and facts that differ in anything are damaged", (t) => {
  fc.assert(
    fc.property(metadata, metadata, (m, other) => {
      const changed: Manifest[] = [
        { ...manifestOf(m), id: other.id },
        { ...manifestOf(m), finishedAt: `${m.finishedAt}.` },
        { ...manifestOf(m), startedAt: "" },
        { ...manifestOf(m), kind: m.kind === "full" ? "incremental" : "full" },
        { ...manifestOf(m), base: m.base === null ? other.id : null },
        { ...manifestOf(m), files: m.files },
        { ...manifestOf(m), files: [...manifestOf(m).files, ...manifestOf(m).files.slice(-1)] },
        {
          ...manifestOf(m),
          files: manifestOf(m)
            .files.slice(1)
            .concat({ name: "INDEX.bin", size: 0, sha256: "f".repeat(64) }),
        },
      ];
      for (const manifest of changed) {
        t.is(
          codeOf(() => checkManifest(manifest, m)),
          "DAMAGED",
        );
      }
    }),
    { numRuns: 50 },
  );
});

test("a manifest that is not as one is written is damaged; a later version is told as such", (t) => {
  const good = encodeManifest({
    format: 1,
    id: "0".repeat(32),
    kind: "full",
    base: null,
    startedAt: "a",
    finishedAt: "b",
    files: [],
  });
  t.is(
    codeOf(() => decodeManifest(good)),
    "read",
  );
  const wrong = [
    "",
    "null",
    "[]",
    "1",
    good.trimEnd(),
    `${good} `,
    `\ufeff${good}`,
    good.replace('"full"', '"incremental"'),
    good.replace('"format": 1', '"format": 0'),
    good.replace('"format": 1', '"format": 1.5'),
    good.replace('"files": []', '"files": [], "more": 1'),
    good.replace('"files": []', '"files": [null]'),
    good.replace('"startedAt": "a"', '"startedAt": 1'),
    good.replace('"startedAt": "a"', '"startedAt": "\\u0061"'),
    `${"[".repeat(100_000)}`,
    `${"[".repeat(100_000)}${"]".repeat(100_000)}`,
  ];
  for (const text of wrong)
    t.is(
      codeOf(() => decodeManifest(text)),
      "DAMAGED",
      text.slice(0, 80),
    );
  const later = good.replace('"format": 1', '"format": 2');
  t.is(
    codeOf(() => decodeManifest(later)),
    "UNSUPPORTED_VERSION",
  );
});

test("facts that lack anything, or have anything of another type, are damaged", (t) => {
  fc.assert(
    fc.property(metadata, (m) => {
      const odd = [undefined, null, -1, 1.5, 2 ** 60, "x", [], {}, [null], { objects: 0 }];
      for (const key of Object.keys(m) as (keyof Metadata)[]) {
        const { [key]: _, ...without } = m;
        t.is(
          codeOf(() => decodeMetadata(encode(without))),
          "DAMAGED",
          `without ${key}`,
        );
        for (const one of odd) {
          const nullable = one === null && ["base", "ceph", "etcd"].includes(key);
          const text =
            one === "x" && typeof m[key] === "string" && !["id", "kind", "base"].includes(key);
          const list = Array.isArray(one) && one.length === 0 && key === "files";
          if (one === undefined || nullable || text || list) continue;
          t.is(
            codeOf(() => decodeMetadata(encode({ ...m, [key]: one }))),
            "DAMAGED",
            key,
          );
        }
      }
      for (const key of Object.keys(m.counts)) {
        const counts = { ...m.counts, [key]: -1 };
        t.is(
          codeOf(() => decodeMetadata(encode({ ...m, counts }))),
          "DAMAGED",
          key,
        );
      }
    }),
    { numRuns: 5 },
  );
});

test("any bytes in the place of facts, and any change to them, are read or damaged", (t) => {
  const codes = new Set<string>();
  fc.assert(
    fc.property(
      metadata,
      fc.uint8Array({ maxLength: 50 }),
      fc.nat(),
      fc.nat(255),
      (m, random, at, value) => {
        codes.add(codeOf(() => decodeMetadata(random)));
        const encoded = encodeMetadata(m);
        encoded[at % encoded.length] = value;
        codes.add(codeOf(() => checkManifest(manifestOf(m), decodeMetadata(encoded))));
      },
    ),
    { numRuns: 1000 },
  );
  codes.delete("read");
  t.deepEqual([...codes], ["DAMAGED"]);
});
