import test from "ava";
import fc from "fast-check";
import { archiveName } from "../../src/archive/format.js";
import {
  isOwnFile,
  isOwnFileIn,
  isOwnKey,
  isOwnStreamFile,
  probeKey,
} from "../../src/snapshots/own-keys.js";
import { snapshotName } from "../../src/snapshots/name.js";

const snapshot = fc
  .record({
    kind: fc.constantFrom("full" as const, "incremental" as const),
    firstRevision: fc.nat(),
    lastRevision: fc.nat(),
    time: fc.nat(),
  })
  .map((facts) => snapshotName(facts).text);
const file = fc.oneof(
  fc.constantFrom("METADATA.bin", "INDEX.bin", "MANIFEST.json"),
  fc.integer({ min: 0, max: 99_999 }).map(archiveName),
);

test("all files of snapshots are own files, and files in other folders are not", (t) => {
  fc.assert(
    fc.property(snapshot, file, (name, own) => {
      t.true(isOwnKey(`${name}/${own}`));
      for (const key of [own, name, `p/${own}`, `p/${name}/${own}`, `${name}/${own}/0001`]) {
        t.false(isOwnKey(key), key);
      }
      for (const odd of [`${own}.gz`, `${own}~`, `x${own}`, own.toLowerCase(), `${own}\n`]) {
        t.false(isOwnFile(odd), odd);
      }
    }),
  );
});

test("deltas are own files in the folder of a stream alone, as are the files of its base", (t) => {
  const stream = "Etcd-00009003-1565021504-9f86d081";
  const delta = "DELTA00000001-00009051-00009060-1565021533.bin";
  const snapshotFolder = "Full-00000000-00009002-1565021494";
  const own = [delta, `${delta}.a1b2c3d4.partial`, ".part-0123456789abcdef", "METADATA.bin"];
  for (const name of own) {
    t.true(isOwnKey(`${stream}/${name}`), name);
    t.true(isOwnFileIn(stream, name), name);
  }
  t.false(isOwnKey(`${snapshotFolder}/${delta}`));
  t.false(isOwnFileIn(snapshotFolder, delta));
  t.true(isOwnFileIn(snapshotFolder, "METADATA.bin"));
  for (const other of ["DELTA1.bin", `${delta}.gz`, "notes.txt", "0000000001", ""]) {
    t.false(isOwnStreamFile(other), other);
    t.false(isOwnKey(`${stream}/${other}`), other);
  }
  for (const key of [delta, stream, `p/${stream}/${delta}`, `${stream}/${delta}/x`]) {
    t.false(isOwnKey(key), key);
  }
});

test("unfinished files and the probe of doctor are own files", (t) => {
  const name = "Full-00000000-00000007-1700000000";
  for (const key of [
    `${name}/.part-0123456789abcdef`,
    ".part-0123456789abcdef",
    `${name}/.INDEX.bin.partial`,
    `${name}/ARCHIVE00012.bin.a1b2c3d4.partial`,
    probeKey("00ff"),
  ]) {
    t.true(isOwnKey(key), key);
  }
});

test("control files and their unfinished files are own files", (t) => {
  t.true(isOwnKey(".backuptool/holds/Full-00000000-00000007-1700000000"));
  t.true(isOwnKey(".backuptool/holds/.part-0123456789abcdef"));
  t.false(isOwnKey(".backuptool"));
  t.false(isOwnKey("x/.backuptool/holds/Full-00000000-00000007-1700000000"));
});

test("files of etcd-backup-restore, file managers and other tools are not own files", (t) => {
  const name = "Full-00000000-00009002-1565021494";
  const files = [
    "0000000001",
    "00000001",
    "0",
    ".DS_Store",
    "Thumbs.db",
    "@eaDir/x",
    "sub/INDEX.bin",
  ];
  for (const other of [...files, "ARCHIVE1.bin", "ARCHIVE000001.bin", "INDEX.bin.partial.gz", ""]) {
    t.false(isOwnFile(other), other);
    t.false(isOwnKey(`${name}/${other}`), other);
  }
  for (const key of [
    `${name}.gz/INDEX.bin`,
    "Backup-1565021494/INDEX.bin",
    "a/.part-0123456789abcdef",
  ]) {
    t.false(isOwnKey(key), key);
  }
});
