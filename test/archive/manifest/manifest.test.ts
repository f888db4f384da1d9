import test from "ava";
import { encode } from "cborg";
import fc from "fast-check";
import { ArchiveError } from "../../../src/archive/errors.js";
import { archiveName, MAX_ARCHIVE_FILES } from "../../../src/archive/format.js";
import {
  decodeManifest,
  encodeManifest,
  type Manifest,
} from "../../../src/archive/manifest/manifest.js";
import { ManifestScanner } from "../../../src/archive/manifest/manifest-scanner.js";
import {
  checkManifest,
  decodeMetadata,
  encodeMetadata,
  type Metadata,
} from "../../../src/archive/metadata.js";
import { NO_COUNTS } from "../../../src/archive/metadata.js";

const hex = (digits: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: digits, maxLength: digits });
/** Without METADATA.bin. The sum of all sizes is below 2^53. */
const files = fc
  .array(
    fc.record({ size: fc.maxSafeNat().map((size) => Math.floor(size / 8)), sha256: hex(64) }),
    {
      minLength: 2,
      maxLength: 5,
    },
  )
  .map((facts) =>
    facts.map((file, i) => ({
      name: i === facts.length - 1 ? "INDEX.bin" : archiveName(i),
      ...file,
    })),
  );
const time = fc
  .date({ min: new Date(0), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true })
  .map((date) => date.toISOString());
const kindAndBase = fc.oneof(
  fc.record({ kind: fc.constant("full" as const), base: fc.constant(null) }),
  fc.record({ kind: fc.constant("incremental" as const), base: hex(32) }),
);
const metadata: fc.Arbitrary<Metadata> = fc
  .tuple(kindAndBase, hex(32), files, fc.string(), fc.maxSafeNat(), time)
  .map(([kind, id, list, text, number, finishedAt]) => ({
    format: 1,
    id,
    ...kind,
    startedAt: "2026-01-02T03:04:05.000Z",
    finishedAt,
    toolVersion: text,
    chunkBytes: 1 + (number % 1024),
    plainBytes: number,
    ceph: number % 2 === 0 ? null : { fsid: text, pools: [text, "pool"] },
    etcd:
      number % 3 === 0 ? null : { clusterId: text, revision: number, firstBatch: 0, restarts: 0 },
    counts: { ...NO_COUNTS, objects: number, objectBytes: number },
    files: list,
  }));

function manifestOf(m: Metadata): Manifest {
  const { format, id, kind, base, startedAt, finishedAt } = m;
  const own = { name: "METADATA.bin", size: 1, sha256: "0".repeat(64) };
  return { format, id, kind, base, startedAt, finishedAt, files: [...m.files, own] };
}

function bytesOf(manifest: Manifest): Buffer {
  return Buffer.from(encodeManifest(manifest));
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

test("metadata and manifest are read as they were written, and agree", (t) => {
  fc.assert(
    fc.property(metadata, (m) => {
      const manifest = decodeManifest(bytesOf(manifestOf(m)));
      t.deepEqual(manifest, manifestOf(m));
      const facts = decodeMetadata(encodeMetadata(m));
      t.deepEqual(facts, m);
      t.notThrows(() => checkManifest(manifest, facts));
    }),
  );
});

test("a manifest and metadata that differ in anything are damaged", (t) => {
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

test("the revision of a raw snapshot is read as it was written", (t) => {
  fc.assert(
    fc.property(metadata, fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (m, revision) => {
      const manifest = { ...manifestOf(m), etcdSnapshot: revision };
      t.deepEqual(decodeManifest(bytesOf(manifest)), manifest);
    }),
    { numRuns: 50 },
  );
});

const FACTS = { size: 12, sha256: "a".repeat(64) };
const SAMPLE: Manifest = {
  format: 1,
  id: "0".repeat(32),
  kind: "full",
  base: null,
  startedAt: "2026-01-02T03:04:05.000Z",
  finishedAt: "2026-01-02T03:04:06.000Z",
  files: ["ARCHIVE00000.bin", "ARCHIVE00001.bin", "INDEX.bin", "METADATA.bin"].map((name) => ({
    name,
    ...FACTS,
  })),
};

test("a manifest that is not canonical is damaged; a later version is UNSUPPORTED_VERSION", (t) => {
  const good = encodeManifest(SAMPLE);
  const answer = (text: string | Uint8Array) =>
    codeOf(() => decodeManifest(typeof text === "string" ? Buffer.from(text) : text));
  t.is(answer(good), "read");
  const started = (time: string) => good.replace(SAMPLE.startedAt, time);
  const sized = (size: string) => good.replace('"size": 12', `"size": ${size}`);
  const snapshotted = (revision: string) =>
    good.replace('  "files"', `  "etcdSnapshot": ${revision},\n  "files"`);
  const named = (...names: string[]) =>
    encodeManifest({ ...SAMPLE, files: names.map((name) => ({ name, ...FACTS })) });
  const wrong = [
    "",
    "null",
    "[]",
    "1",
    "\n".repeat(100_000),
    good.trimEnd(),
    `${good} `,
    `${good}\n`,
    `${good}}\n`,
    `\ufeff${good}`,
    good.replaceAll("\n", "\r\n"),
    JSON.stringify(SAMPLE),
    good.replace('"full"', '"incremental"'),
    good.replace("null", '"null"'),
    good.replace("null", `"${"1".repeat(32)}"`),
    good.replace('"format": 1', '"format": 0'),
    good.replace('"format": 1', '"format": 01'),
    good.replace('"format": 1', '"format": 1.5'),
    good.replace('"format": 1', '"format": 2.5'),
    good.replace('"format": 1', '"format": 1e9'),
    good.replace('"format": 1', `"format": ${"9".repeat(100)}`),
    good.replace('"id": "00', '"id": "0A'),
    good.replace("  ]\n", '  ],\n  "more": 1\n'),
    good.replace("    {", "    null,\n    {"),
    ...["0", "01", "-1", "1.0", "null", '"1"', "9007199254740992"].map(snapshotted),
    snapshotted("1").replace('  "files"', '  "etcdSnapshot": 1,\n  "files"'),
    good.replace('  "startedAt"', '  "etcdSnapshot": 1,\n  "startedAt"'),
    started(""),
    started("2026-01-02T03:04:05Z"),
    started("2026-01-02T03:04:05.000+00:00"),
    started("2026-01-02t03:04:05.000z"),
    started("2026-02-30T03:04:05.000Z"),
    started("2026-01-02T24:00:00.000Z"),
    started("2026-01-02T03:04:60.000Z"),
    started("+012026-01-02T03:04:05.000Z"),
    started("\\u0032026-01-02T03:04:05.000Z"),
    started("x".repeat(1 << 20)),
    sized("-1"),
    sized("1.0"),
    sized("1e3"),
    sized("012"),
    sized("null"),
    sized('"12"'),
    sized("9007199254740992"),
    // Each is a safe integer, their sum is not.
    good.replaceAll('"size": 12', '"size": 9007199254740991'),
    sized("1".repeat(1 << 20)),
    named(),
    named("INDEX.bin", "METADATA.bin"),
    named("ARCHIVE00000.bin", "METADATA.bin"),
    named("ARCHIVE00000.bin", "INDEX.bin"),
    named("ARCHIVE00001.bin", "INDEX.bin", "METADATA.bin"),
    named("ARCHIVE00000.bin", "ARCHIVE00002.bin", "INDEX.bin", "METADATA.bin"),
    named("ARCHIVE00000.bin", "ARCHIVE00000.bin", "INDEX.bin", "METADATA.bin"),
    named("ARCHIVE00001.bin", "ARCHIVE00000.bin", "INDEX.bin", "METADATA.bin"),
    named("ARCHIVE00000.bin", "METADATA.bin", "INDEX.bin"),
    named("INDEX.bin", "ARCHIVE00000.bin", "METADATA.bin"),
    named("ARCHIVE00000.bin", "INDEX.bin", "INDEX.bin", "METADATA.bin"),
    named("ARCHIVE00000.bin", "INDEX.bin", "METADATA.bin", "METADATA.bin"),
    named("ARCHIVE00000.bin", "../x.bin", "INDEX.bin", "METADATA.bin"),
    "[".repeat(100_000),
    `${"[".repeat(100_000)}${"]".repeat(100_000)}`,
    "[{},".repeat(100_000),
  ];
  for (const text of wrong) t.is(answer(text), "DAMAGED", text.slice(0, 400));
  // Bytes that are not UTF-8: decoded, they would all be the same character.
  for (const byte of [0x80, 0xff, 0xc3]) {
    const bytes = Buffer.from(good);
    bytes[good.indexOf("2026")] = byte;
    t.is(answer(bytes), "DAMAGED");
  }
  t.is(answer(good.replace('"format": 1', '"format": 2')), "UNSUPPORTED_VERSION");
  // Of a later version only the first lines are known.
  t.is(answer('{\n  "format": 12,\n  "chapters": [[[['), "UNSUPPORTED_VERSION");
});

test("a manifest with one byte changed, added or left out is rejected, or encodes to its own bytes", (t) => {
  fc.assert(
    fc.property(metadata, fc.nat(), fc.nat(255), (m, place, value) => {
      const bytes = bytesOf(manifestOf(m));
      const at = place % bytes.length;
      const byte = Buffer.of(value);
      const changed = [
        Buffer.concat([bytes.subarray(0, at), byte, bytes.subarray(at + 1)]),
        Buffer.concat([bytes.subarray(0, at), byte, bytes.subarray(at)]),
        Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]),
        bytes.subarray(0, at),
      ];
      for (const one of changed) {
        try {
          t.deepEqual(bytesOf(decodeManifest(one)), one);
        } catch (error) {
          if (!(error instanceof ArchiveError)) throw error;
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("a manifest can be read in pieces of any size", (t) => {
  fc.assert(
    fc.property(
      metadata,
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }),
      (m, cuts) => {
        const bytes = bytesOf(manifestOf(m));
        const scanner = new ManifestScanner();
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const length = cuts[i % cuts.length] ?? 1;
          // A piece may be overwritten after the push.
          const piece = Buffer.from(bytes.subarray(at, at + length));
          scanner.push(piece);
          piece.fill(0);
          at += length;
        }
        t.deepEqual(scanner.end(), manifestOf(m));
      },
    ),
  );
});

test("the longest manifest is read, and one with one more file is damaged", (t) => {
  const of = (archives: number): Buffer => {
    const names = Array.from({ length: archives }, (_, i) => archiveName(i));
    const files = [...names, "INDEX.bin", "METADATA.bin"].map((name) => ({ name, ...FACTS }));
    return bytesOf({ ...SAMPLE, files });
  };
  t.is(decodeManifest(of(MAX_ARCHIVE_FILES)).files.length, MAX_ARCHIVE_FILES + 2);
  const error = t.throws(() => decodeManifest(of(MAX_ARCHIVE_FILES + 1)), { code: "DAMAGED" });
  t.regex(error?.message ?? "", /ARCHIVE100000\.bin/);
});

test("metadata without a fact, or with one of another type, is damaged", (t) => {
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

test("any bytes as metadata, and any change to metadata, are read or damaged", (t) => {
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
