import { posix } from "node:path";
import test from "ava";
import fc from "fast-check";
import {
  decodePart,
  encodePart,
  leasesPath,
  objectPath,
  parsePath,
  recordsPath,
  snapshotPath,
  tombstonesPath,
} from "../../../src/archive/tar/entry-path.js";

/** Bytes with many special characters of paths. */
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc
    .array(fc.constantFrom(".", "/", "-", "%", "..", "\n", "\0", "a", "2D", ".cbor"))
    .map((parts) => new Uint8Array(Buffer.from(parts.join("")))),
);
const kind = fc.constantFrom("data", "attrs", "omap", "torn");
const object = fc.record({
  pool: fc.string({ unit: "binary", minLength: 1 }),
  namespace: bytes.map((b) => Buffer.from(b)),
  locator: bytes.map((b) => Buffer.from(b)),
  name: bytes.map((b) => Buffer.from(b)),
});

test("any bytes can be decoded from their part of a path", (t) => {
  fc.assert(
    fc.property(bytes, (name) => {
      t.deepEqual(new Uint8Array(decodePart(encodePart(name)) ?? []), name);
    }),
    { numRuns: 1000 },
  );
});

test("a part is never empty nor dots only, and is a safe file name", (t) => {
  fc.assert(
    fc.property(bytes, (name) => {
      const part = encodePart(name);
      t.regex(part, /^[A-Za-z0-9\-_.~%]+$/);
      t.notRegex(part, /^\.+$/);
      t.is(posix.normalize(`folder/${part}`), `folder/${part}`);
    }),
    { numRuns: 1000 },
  );
});

test("each name has one part, and each part one name", (t) => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      t.is(encodePart(a) === encodePart(b), Buffer.compare(a, b) === 0);
    }),
  );
  for (const part of ["", "%2d", "%41", "%", "%4", "%GG", "a/b", ".", "..", "...", "\u0100"]) {
    t.is(decodePart(part), undefined, part);
  }
  t.deepEqual(decodePart("-"), Buffer.alloc(0));
  t.deepEqual(decodePart("%2D"), Buffer.from("-"));
});

test("the path of an entry is parsed to the entry, for any object", (t) => {
  fc.assert(
    fc.property(kind, object, fc.nat(200_000_000), (which, name, number) => {
      const page = which === "omap" ? number : 0;
      const path = objectPath(which, name, page);
      const omap = which === "omap" ? { page } : {};
      t.deepEqual(parsePath(path), { kind: which, object: name, ...omap });
    }),
    { numRuns: 1000 },
  );
});

test("the path of an object stays in its own folder, four or five parts deep", (t) => {
  fc.assert(
    fc.property(kind, object, (which, name) => {
      const path = objectPath(which, name, 1);
      t.is(posix.normalize(path), path);
      t.false(posix.isAbsolute(path) || path.includes("\0") || path.includes("\n"));
      t.regex(path, /^ceph(-attrs|-omap|-torn)?(-located)?\//);
    }),
  );
});

test("paths of numbered entries are parsed, past eight digits too", (t) => {
  for (const number of [0, 7, 99_999_999, 100_000_000]) {
    t.deepEqual(parsePath(recordsPath(number)), { kind: "records", number });
    t.deepEqual(parsePath(leasesPath(number)), { kind: "leases", number });
    t.deepEqual(parsePath(tombstonesPath(number)), { kind: "tombstones", number });
    t.deepEqual(parsePath(snapshotPath(number)), { kind: "snapshot", number });
  }
});

test("a path that this program does not write is rejected", (t) => {
  const paths = [
    "",
    "/",
    "etc/passwd",
    "../ceph/pool/-/name",
    "ceph/../-/name",
    "ceph/pool/-/..",
    "ceph/pool/-/a/b",
    "ceph/pool/name",
    "ceph/%FF/-/pool-that-is-no-text",
    "ceph-located/pool/-/-/without-a-locator",
    "ceph-attrs/pool/-/name",
    "ceph-omap/pool/-/name/1.cbor",
    "ceph-omap/pool/-/name/000000001.cbor",
    "ceph-omap/pool/-/name/00000001",
    "records/00000000.cbor",
    "etcd/tombstones/00000000.cbor",
    "etcd/records/0000000.cbor",
    "etcd/records/000000000.cbor",
    `etcd/records/${"9".repeat(30)}.cbor`,
  ];
  for (const path of paths) t.is(parsePath(path), undefined, path);
});

test("any text is rejected, or is the path of its entry", (t) => {
  const text = fc.oneof(
    fc.string(),
    fc
      .array(
        fc.constantFrom(
          "ceph",
          "ceph-omap",
          "ceph-attrs",
          "ceph-located",
          "-",
          "a",
          "%2E",
          "00000001.cbor",
          "..",
        ),
      )
      .map((parts) => parts.join("/")),
  );
  fc.assert(
    fc.property(text, (path) => {
      const entry = parsePath(path);
      if (entry === undefined) return;
      const again =
        "object" in entry
          ? objectPath(entry.kind, entry.object, entry.kind === "omap" ? entry.page : 0)
          : {
              records: recordsPath,
              leases: leasesPath,
              tombstones: tombstonesPath,
              snapshot: snapshotPath,
            }[entry.kind](entry.number);
      t.is(again, path);
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

test("a name of any length has one path, whose parts every file system takes", (t) => {
  for (const length of [239, 240, 241, 480, 481, 900, 2048]) {
    for (const byte of ["n", "/", "\xff"]) {
      const name = Buffer.from(byte.repeat(length), "latin1");
      const object = { pool: "p", namespace: name, locator: name, name };
      for (const kind of ["data", "attrs", "omap", "torn"] as const) {
        const path = objectPath(kind, object, 1);
        t.true(path.split("/").every((part) => part.length <= 255));
        const entry = parsePath(path);
        t.true(entry !== undefined && "object" in entry);
        if (entry !== undefined && "object" in entry) t.deepEqual(entry.object, object);
      }
    }
  }
});

test("a long name that is split elsewhere, or not at all, is rejected", (t) => {
  const whole = "n".repeat(900);
  const cut = (at: number) => `${whole.slice(0, at)}%/${whole.slice(at)}`;
  for (const name of [whole, cut(100), cut(240), `${whole}%`, "n%/n", "%/n", "n%"]) {
    t.is(parsePath(`ceph/p/-/${name}`), undefined, name);
  }
});
