/**
 * Measures what is done with database files of etcd, in one process: `node dist/bench/etcd-file.js FOLDER [MIB] [VALUE]`,
 * against the etcd of ETCDCTL_ENDPOINTS, whose snapshot is the first base. VALUE is the size of a value, 1,000 bytes by
 * default. FOLDER gets files of several times that size.
 */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { compareDatabases } from "../src/sources/etcd/file/compare-databases.js";
import { EtcdDatabase } from "../src/sources/etcd/file/database.js";
import { fileAccess } from "../src/sources/etcd/file/random-access.js";
import { recordsAt } from "../src/sources/etcd/file/records-at.js";
import { checkSnapshotDigest } from "../src/sources/etcd/file/snapshot-digest.js";
import { writeDatabase } from "../src/sources/etcd/file/write/write-database.js";
import type { WriteOptions } from "../src/sources/etcd/file/write/write-options.js";
import type { EtcdRevision } from "../src/sources/etcd/history.js";

const { signal } = new AbortController();
const [folder = "", mib = "1024", valueBytes = "1000"] = process.argv.slice(2);
const VALUE = Buffer.alloc(Number(valueBytes), "value ");
/** With its key and what the tree adds. */
const CHANGE_BYTES = VALUE.length + 90;
const MIB = 1 << 20;

/** Puts, one a revision, each key four times. */
async function* puts(first: number, count: number): AsyncGenerator<readonly EtcdRevision[]> {
  const keys = Math.ceil(count / 4);
  for (let at = first; at < first + count; at += 500) {
    yield Array.from({ length: Math.min(500, first + count - at) }, (_, i) => {
      const revision = at + i;
      const key = Buffer.from(`/registry/things/${(revision % keys).toString().padStart(10, "0")}`);
      const kv = Buffer.concat([
        Buffer.of(0x0a, key.length),
        key,
        Buffer.of(0x10),
        varint(revision),
        Buffer.of(0x18),
        varint(revision),
        Buffer.of(0x20, 1, 0x2a),
        varint(VALUE.length),
        VALUE,
      ]);
      return { revision, seenMs: 0, changes: [{ deleted: false, kv }], leases: [] };
    });
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

async function openDatabase(path: string): Promise<EtcdDatabase> {
  return EtcdDatabase.open(await fileAccess(await open(path)), path);
}

async function measure(name: string, bytes: number, work: () => Promise<unknown>): Promise<void> {
  let peak = 0;
  const sample = () => {
    peak = Math.max(peak, process.memoryUsage().rss);
  };
  const timer = setInterval(sample, 20);
  const cpu = process.cpuUsage();
  const begun = performance.now();
  await work();
  const seconds = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  sample();
  clearInterval(timer);
  const figures = [
    `${seconds.toFixed(2)} s`,
    `${(bytes / 1e6 / seconds).toFixed(0)} MB/s`,
    `CPU ${((user + system) / 1e6).toFixed(2)} s`,
    `${(bytes / 1e6 / ((user + system) / 1e6)).toFixed(0)} MB/s of CPU`,
    `peak ${(peak / MIB).toFixed(0)} MiB`,
  ];
  console.log(`${name.padEnd(44)} ${figures.join(", ")}`);
}

const count = Math.floor((Number(mib) * MIB) / CHANGE_BYTES);
const at = (name: string): string => join(folder, name);
const files = ["empty.db", "base.db", "patch.db", "truncate.db", "repack.db"];
const write = (
  base: EtcdDatabase,
  log: AsyncIterable<readonly EtcdRevision[]>,
  name: string,
  options: Pick<WriteOptions, "revision" | "method">,
) => writeDatabase(base, log, at(name), { unknownLeaseTtlSeconds: 60, signal, ...options });

try {
  for (const name of files) rmSync(at(name), { force: true });
  execFileSync("etcdctl", ["snapshot", "save", at("empty.db")], { stdio: "ignore" });
  const empty = await openDatabase(at("empty.db"));
  const { revision: first } = await empty.facts(signal);
  const last = first + count;
  const size = count * CHANGE_BYTES;
  await measure(`write ${count} changes`, size, () =>
    write(empty, puts(first + 1, count), "base.db", { revision: last }),
  );
  const base = await openDatabase(at("base.db"));
  const { bytes } = await base.facts(signal);
  await measure("SHA-256", bytes, () => checkSnapshotDigest(base.file, "base", signal));
  await measure("entries", bytes, async () => {
    for await (const _ of base.entries(signal));
  });
  const later = last + 200_000;
  await measure("patch with 200,000 changes", bytes + 200_000 * CHANGE_BYTES, () =>
    write(base, puts(last + 1, 200_000), "patch.db", { revision: later, method: "patch" }),
  );
  await measure("truncate", bytes, () =>
    write(base, puts(1, 0), "truncate.db", { revision: last - 1000, method: "truncate" }),
  );
  await measure("repack", bytes, () =>
    write(base, puts(1, 0), "repack.db", { revision: last, method: "repack" }),
  );
  await measure("records", bytes, async () => {
    const found = await recordsAt(base, () => puts(1, 0), last, signal);
    for await (const _ of found.batches());
  });
  const patched = await openDatabase(at("patch.db"));
  await measure("compare", patched.file.size, async () => {
    const { proven } = await compareDatabases(base, puts(last + 1, 200_000), patched, signal);
    if (!proven) throw new Error("not proven");
  });
  execFileSync("etcdctl", ["snapshot", "status", at("patch.db")], { stdio: "inherit" });
} finally {
  for (const name of files) rmSync(at(name), { force: true });
}
